/* The recorder, the headers and the packing of spans in C.
 *
 * Everything here is the plain case: whatever is not plain is left to Python, by a method that is called. The oracle is OpenTelemetry's
 * SDK: tests/tracing_lib/fast hold one against the other. No name of the C API that begins with an underscore is used.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <time.h>

#include "_c/names.h"
#include "_c/origin.h"
#include "_c/spans.h"
#include "_c/headers.h"
#include "_c/tracer.h"
#include "_c/pack.h"

static PyMethodDef methods[] = {
    {"set_up", (PyCFunction)(void (*)(void))set_up, METH_FASTCALL, NULL},
    {"record", (PyCFunction)(void (*)(void))record, METH_FASTCALL, NULL},
    {"root", (PyCFunction)(void (*)(void))root, METH_FASTCALL, NULL},
    {"with_span", (PyCFunction)(void (*)(void))with_span, METH_FASTCALL, NULL},
    {NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "tracing_lib.fast._native", .m_size = -1, .m_methods = methods};

static int
make_names(void)
{
    struct { PyObject **where; const char *text; } names[] = {
        {&s_append, "append"}, {&s_on_end, "on_end"}, {&s_on_ending, "_on_ending"}, {&s_pending, "pending"}, {&s_quiet, "quiet"},
        {&s_set_attributes, "set_attributes"}, {&s_attributes, "attributes"}, {&s_slow_attribute, "_set_attribute"},
        {&s_slow_attributes, "_set_attributes"}, {&s_twice, "_ended_twice"}, {&s_freeze, "_freeze"}, {&s_value, "value"},
        {&s_unset, "_unset"}, {&s_name_field, "_name_field"}, {&s_state_field, "_state_field"}, {&s_attribute_field, "_attribute_field"},
        {&s_link_fields, "_link_fields"}, {&s_tracer_config, "_tracer_config"}, {&s_is_enabled, "is_enabled"},
        {&s_slow_child, "_start_child"}, {&s_slow_server, "_start_server_span"}, {&s_slow_inject, "_inject"},
        {&s_slow_attach, "_attach"}, {&s_slow_leave, "_leave"},
        {&s_traceparent, "traceparent"}, {&s_tracestate, "tracestate"}, {&s_to_header, "to_header"},
    };
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        if ((*names[at].where = PyUnicode_InternFromString(names[at].text)) == NULL) {
            return -1;
        }
    }
    s_64 = PyLong_FromLong(64);
    s_128 = PyLong_FromLong(128);
    return s_64 == NULL || s_128 == NULL ? -1 : 0;
}

PyMODINIT_FUNC
PyInit__native(void)
{
    struct { const char *name; PyTypeObject *type; } types[] = {
        {"Pipeline", &PipelineType}, {"Origin", &OriginType}, {"SpanCore", &SpanCoreType},
        {"TracerCore", &TracerCoreType}, {"PackCore", &PackCoreType},
    };
    PyObject *made = make_names() < 0 ? NULL : PyModule_Create(&module);
    for (size_t at = 0; made != NULL && at < sizeof types / sizeof *types; at++) {
        if (PyType_Ready(types[at].type) < 0 || PyModule_AddObjectRef(made, types[at].name, (PyObject *)types[at].type) < 0) {
            Py_CLEAR(made);
        }
    }
    return made;
}
