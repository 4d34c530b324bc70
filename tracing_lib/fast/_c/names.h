/* Names of attributes and methods, and constants of OpenTelemetry. All are set once, when the module is imported or set up. */

static PyObject *s_append, *s_on_end, *s_on_ending, *s_pending, *s_quiet, *s_set_attributes, *s_attributes, *s_slow_attribute,
    *s_slow_attributes, *s_twice, *s_freeze, *s_value, *s_unset, *s_name_field, *s_state_field, *s_attribute_field, *s_link_fields,
    *s_tracer_config, *s_is_enabled, *s_slow_child, *s_slow_server, *s_slow_inject, *s_slow_attach, *s_slow_leave, *s_traceparent, *s_tracestate, *s_to_header,
    *s_64, *s_128;

/* Set by set_up(), in this order. */
enum {
    VARIABLE,      /* the context variable that holds the current context */
    CONTEXT,       /* opentelemetry.context.Context, a dict */
    SPAN_KEY,      /* key of the span in a context */
    BAGGAGE_KEY,   /* key of the baggage in a context */
    SPAN_CONTEXT,  /* opentelemetry.trace.SpanContext, a tuple of six */
    NON_RECORDING, /* opentelemetry.trace.NonRecordingSpan */
    SPAN,          /* FastSpan */
    GET_TEXTMAP,   /* opentelemetry.propagate.get_global_textmap */
    PROPAGATOR,    /* class of the propagator whose plain cases are read here */
    BITS,          /* random.getrandbits */
    SERVER,        /* SpanKind.SERVER */
    FLAGS,         /* TraceFlags 0 to 3 */
    DEFAULT_STATE, /* the empty trace state */
    STATES,        /* trace states by their headers, as text and as bytes */
    CONSTANTS
};
static PyObject *constants[CONSTANTS];
