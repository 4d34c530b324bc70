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
#include "_c/spans.h"
#include "_c/source.h"
#include "_c/headers.h"
#include "_c/enter.h"
#include "_c/pack.h"

static PyMethodDef methods[] = {
    {"record", (PyCFunction)(void (*)(void))record, METH_FASTCALL, NULL},
    {"root", (PyCFunction)(void (*)(void))root, METH_FASTCALL, NULL},
    {"derived", (PyCFunction)(void (*)(void))derived, METH_FASTCALL, NULL},
    {"enter", (PyCFunction)(void (*)(void))enter, METH_FASTCALL, NULL},
    {"serve", (PyCFunction)(void (*)(void))serve, METH_FASTCALL, NULL},
    {"caller", (PyCFunction)(void (*)(void))caller, METH_FASTCALL, NULL},
    {"traceparent", traceparent, METH_O, NULL},
    {"token", (PyCFunction)(void (*)(void))token, METH_FASTCALL, NULL},
    {NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "tracing_lib._native", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC
PyInit__native(void)
{
    struct { PyObject **where; const char *text; } names[] = {
        {&s_append, "append"}, {&s_on_end, "on_end"}, {&s_on_ending, "_on_ending"}, {&s_processor, "processor"}, {&s_quiet, "quiet"},
        {&s_room, "room"}, {&s_set_attributes, "set_attributes"}, {&s_slow_attribute, "_set_attribute"},
        {&s_slow_attributes, "_set_attributes"}, {&s_stage, "stage"}, {&s_stages, "stages"}, {&s_twice, "_ended_twice"},
        {&s_freeze, "_freeze"}, {&s_value, "value"}, {&s_look_up, "_look_up"},
        {&s_quick, "quick"}, {&s_started, "started"}, {&s_span_processors, "_span_processors"}, {&s_decide, "decide"},
        {&s_otherwise, "otherwise"}, {&s_states, "states"}, {&s_leases, "leases"}, {&s_inner, "inner"}, {&s_tracer_config, "_tracer_config"},
        {&s_is_enabled, "is_enabled"}, {&s_unset, "_unset"}, {&s_name_field, "_name_field"}, {&s_state_field, "_state_field"},
        {&s_attribute_field, "_attribute_field"}, {&s_link_fields, "_link_fields"},
    };
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        if ((*names[at].where = PyUnicode_InternFromString(names[at].text)) == NULL) {
            return NULL;
        }
    }
    if ((s_64 = PyLong_FromLong(64)) == NULL || (s_128 = PyLong_FromLong(128)) == NULL || PyType_Ready(&SpanCoreType) < 0
        || PyType_Ready(&SourceCoreType) < 0 || PyType_Ready(&PackCoreType) < 0 || PyType_Ready(&RecordingType) < 0) {
        return NULL;
    }
    PyObject *found = PyModule_Create(&module);
    if (found == NULL || PyModule_AddObjectRef(found, "SpanCore", (PyObject *)&SpanCoreType) < 0
        || PyModule_AddObjectRef(found, "SourceCore", (PyObject *)&SourceCoreType) < 0
        || PyModule_AddObjectRef(found, "PackCore", (PyObject *)&PackCoreType) < 0
        || PyModule_AddObjectRef(found, "Recording", (PyObject *)&RecordingType) < 0) {
        Py_XDECREF(found);
        return NULL;
    }
    return found;
}
