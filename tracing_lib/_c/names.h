/* Names of attributes and methods, made once by the module. */

static PyObject *s_append, *s_on_end, *s_on_ending, *s_processor, *s_quiet, *s_room, *s_set_attributes,
    *s_slow_attribute, *s_slow_attributes, *s_stage, *s_stages, *s_twice, *s_freeze, *s_value, *s_look_up, *s_quick,
    *s_started, *s_span_processors, *s_decide, *s_otherwise, *s_states, *s_leases, *s_inner, *s_tracer_config,
    *s_is_enabled, *s_64, *s_128, *s_unset, *s_name_field, *s_state_field, *s_attribute_field, *s_link_fields;
