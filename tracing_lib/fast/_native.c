/* What every span costs, in C: made, given attributes, ended, and its ids read from and written to headers.
 *
 * The same as pure.py; tests hold one against the other. Everything here is the plain case: whatever is not plain is left to
 * Python, which is told so by a result or by a method that is called. No name of the C API that begins with an underscore is used.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <time.h>

#include "_c/names.h"
#include "_c/recording.h"
#include "_c/cores.h"
#include "_c/spans.h"
#include "_c/source.h"
#include "_c/headers.h"
#include "_c/enter.h"
#include "_c/carrier.h"
#include "_c/pack.h"
#include "_c/readings.h"
#include "_c/exchange.h"

static PyMethodDef methods[] = {
    {"record", (PyCFunction)(void (*)(void))record, METH_FASTCALL, NULL},
    {"root", (PyCFunction)(void (*)(void))root, METH_FASTCALL, NULL},
    {"derived", (PyCFunction)(void (*)(void))derived, METH_FASTCALL, NULL},
    {"current", (PyCFunction)(void (*)(void))current, METH_FASTCALL, NULL},
    {"enter", (PyCFunction)(void (*)(void))enter, METH_FASTCALL, NULL},
    {"serve", (PyCFunction)(void (*)(void))serve, METH_FASTCALL, NULL},
    {"exchange", (PyCFunction)(void (*)(void))exchange, METH_FASTCALL, NULL},
    {"carried", (PyCFunction)(void (*)(void))carried, METH_FASTCALL, NULL},
    {"caller", (PyCFunction)(void (*)(void))caller, METH_FASTCALL, NULL},
    {"traceparent", traceparent, METH_O, NULL},
    {"token", (PyCFunction)(void (*)(void))token, METH_FASTCALL, NULL},
    {"set_arguments", (PyCFunction)(void (*)(void))set_arguments, METH_FASTCALL, NULL},
    {"set_results", (PyCFunction)(void (*)(void))set_results, METH_FASTCALL, NULL},
    {"follow", (PyCFunction)(void (*)(void))follow, METH_FASTCALL, NULL},
    {NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "tracing_lib.fast._native", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC
PyInit__native(void)
{
    struct { PyObject **where; const char *text; } names[] = {
        {&s_append, "append"}, {&s_on_end, "on_end"}, {&s_on_ending, "_on_ending"}, {&s_processor, "processor"},
        {&s_room, "room"}, {&s_set_attributes, "set_attributes"}, {&s_slow_attribute, "_set_attribute"},
        {&s_slow_attributes, "_set_attributes"}, {&s_stages, "stages"}, {&s_twice, "_ended_twice"},
        {&s_freeze, "_freeze"}, {&s_value, "value"}, {&s_look_up, "_look_up"},
        {&s_started, "started"},
        {&s_states, "states"}, {&s_tracer_config, "_tracer_config"},
        {&s_is_enabled, "is_enabled"}, {&s_unset, "_unset"}, {&s_name_field, "_name_field"}, {&s_state_field, "_state_field"},
        {&s_attribute_field, "_attribute_field"}, {&s_link_fields, "_link_fields"}, {&s_set_attribute, "set_attribute"},
        {&s_is_recording, "is_recording"}, {&s_has_field, "HasField"}, {&s_get, "get"}, {&s_name, "name"}, {&s_known_state, "known_state"},
        {&s_headers, "headers"}, {&s_traceparent, "traceparent"}, {&s_changeable, "changeable"},
        {&s_type, "type"}, {&s_status, "status"}, {&s_trailers, "trailers"}, {&s_send_more, "_send_more"}, {&s_method, "method"},
        {&s_scheme, "scheme"}, {&s_http_version, "http_version"}, {&s_server, "server"}, {&s_root_path, "root_path"}, {&s_path, "path"},
        {&s_empty, ""}, {&s_GET, "GET"}, {&s_response_start, "http.response.start"}, {&s_get_span_context, "get_span_context"},
    };
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        if ((*names[at].where = PyUnicode_InternFromString(names[at].text)) == NULL) {
            return NULL;
        }
    }
    if ((s_64 = PyLong_FromLong(64)) == NULL || (s_128 = PyLong_FromLong(128)) == NULL || (s_no_headers = PyTuple_New(0)) == NULL
        || (s_traceresponse = PyBytes_FromString("traceresponse")) == NULL || PyType_Ready(&SpanCoreType) < 0
        || PyType_Ready(&SourceCoreType) < 0 || PyType_Ready(&PackCoreType) < 0 || PyType_Ready(&RecordingType) < 0
        || PyType_Ready(&PairsCoreType) < 0 || PyType_Ready(&TracerCoreType) < 0 || PyType_Ready(&StageCoreType) < 0 || PyType_Ready(&ExchangeCoreType) < 0) {
        return NULL;
    }
    PyObject *found = PyModule_Create(&module);
    if (found == NULL || PyModule_AddObjectRef(found, "SpanCore", (PyObject *)&SpanCoreType) < 0
        || PyModule_AddObjectRef(found, "SourceCore", (PyObject *)&SourceCoreType) < 0
        || PyModule_AddObjectRef(found, "PackCore", (PyObject *)&PackCoreType) < 0
        || PyModule_AddObjectRef(found, "Recording", (PyObject *)&RecordingType) < 0
        || PyModule_AddObjectRef(found, "PairsCore", (PyObject *)&PairsCoreType) < 0
        || PyModule_AddObjectRef(found, "TracerCore", (PyObject *)&TracerCoreType) < 0
        || PyModule_AddObjectRef(found, "StageCore", (PyObject *)&StageCoreType) < 0
        || PyModule_AddObjectRef(found, "ExchangeCore", (PyObject *)&ExchangeCoreType) < 0) {
        Py_XDECREF(found);
        return NULL;
    }
    return found;
}
