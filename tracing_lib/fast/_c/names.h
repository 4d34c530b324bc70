/* Names of attributes and methods, made once by the module. */

static PyObject *s_append, *s_on_end, *s_on_ending, *s_processor, *s_room, *s_set_attributes,
    *s_slow_attribute, *s_slow_attributes, *s_stages, *s_twice, *s_freeze, *s_value, *s_look_up,
    *s_started, *s_states, *s_tracer_config,
    *s_is_enabled, *s_64, *s_128, *s_unset, *s_name_field, *s_state_field, *s_attribute_field, *s_link_fields,
    *s_set_attribute, *s_is_recording, *s_has_field, *s_get, *s_name,
    *s_known_state, *s_headers, *s_traceparent, *s_changeable, *s_type, *s_status, *s_trailers, *s_send_more, *s_method,
    *s_scheme, *s_http_version, *s_server, *s_root_path, *s_path, *s_empty, *s_GET, *s_response_start, *s_get_span_context,
    *s_no_headers, *s_traceresponse;
