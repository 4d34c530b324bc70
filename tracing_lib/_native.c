/* What every span costs, in C: made, given attributes, ended, and its ids read from and written to headers.
 *
 * The same as pure.py; tests hold one against the other. Everything here is the plain case: whatever is not plain is left to
 * Python, which is told so by a result or by a method that is called. No name of the C API that begins with an underscore is used.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <time.h>

/* Bits of a trace id that decide whether it is sampled (W3C Trace Context, level 2). */
static const unsigned long long RANDOMNESS = (1ULL << 56) - 1;

enum { TRACE_DIGITS = 32, SPAN_DIGITS = 16, TRACEPARENT = 55, TOKEN_BYTES = 30, TOKEN_TEXT = 40 };

static PyObject *s_append, *s_on_end, *s_on_ending, *s_processor, *s_quiet, *s_room, *s_set_attributes, *s_slow_attribute,
    *s_slow_attributes, *s_stage, *s_stages, *s_twice, *s_freeze, *s_value, *s_look_up, *s_quick, *s_started, *s_span_processors, *s_decide, *s_otherwise, *s_states, *s_inner, *s_tracer_config, *s_is_enabled, *s_64, *s_128;

typedef struct {
    PyObject_HEAD
    PyObject *recording;
    PyObject *name;
    PyObject *ids;
    PyObject *above;
    PyObject *kind;
    PyObject *attributes;
    PyObject *start_time;
    PyObject *end_time;
    Py_ssize_t room;
    char open;
} SpanCore;

static PyObject *
now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromLongLong((long long)now.tv_sec * 1000000000LL + now.tv_nsec);
}

static int
is_plain_value(PyObject *value)
{
    return PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || PyBool_Check(value) || PyFloat_CheckExact(value);
}

static int
is_plain(PyObject *key, PyObject *value)
{
    return PyUnicode_CheckExact(key) && PyUnicode_GET_LENGTH(key) > 0 && is_plain_value(value);
}

/* Whether its entries are what it gives who iterates: OrderedDict, for one, has an order of its own. */
static int
is_plain_mapping(PyObject *object)
{
    return PyDict_Check(object) && Py_TYPE(object)->tp_iter == PyDict_Type.tp_iter;
}

static int
all_plain(PyObject *attributes)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(attributes, &at, &key, &value)) {
        if (!is_plain(key, value)) {
            return 0;
        }
    }
    return 1;
}

/* Last, as in the SDK, where what is set again moves to the end. */
static int
put_last(PyObject *attributes, PyObject *key, PyObject *value)
{
    Py_INCREF(attributes);
    int held = PyDict_Contains(attributes, key);
    int done = held < 0 || (held && PyDict_DelItem(attributes, key) < 0) ? -1 : PyDict_SetItem(attributes, key, value);
    Py_DECREF(attributes);
    return done;
}

static int
span_traverse(SpanCore *self, visitproc visit, void *arg)
{
    Py_VISIT(self->recording);
    Py_VISIT(self->name);
    Py_VISIT(self->ids);
    Py_VISIT(self->above);
    Py_VISIT(self->kind);
    Py_VISIT(self->attributes);
    Py_VISIT(self->start_time);
    Py_VISIT(self->end_time);
    return 0;
}

static int
span_clear(SpanCore *self)
{
    Py_CLEAR(self->recording);
    Py_CLEAR(self->name);
    Py_CLEAR(self->ids);
    Py_CLEAR(self->above);
    Py_CLEAR(self->kind);
    Py_CLEAR(self->attributes);
    Py_CLEAR(self->start_time);
    Py_CLEAR(self->end_time);
    return 0;
}

static void
span_dealloc(SpanCore *self)
{
    PyObject_GC_UnTrack(self);
    span_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
span_set_attribute(SpanCore *self, PyObject *const *args, Py_ssize_t given, PyObject *names)
{
    /* Also as set_attribute(key, value=...). */
    int both = given == 2 ? names == NULL : given == 1 && names != NULL && PyTuple_GET_SIZE(names) == 1 && PyTuple_GET_ITEM(names, 0) == s_value;
    if (both && self->end_time == NULL && is_plain(args[0], args[1]) && self->attributes != NULL
        && PyDict_CheckExact(self->attributes) && PyDict_GET_SIZE(self->attributes) < self->room) {
        if (put_last(self->attributes, args[0], args[1]) < 0) {
            return NULL;
        }
        Py_RETURN_NONE;
    }
    PyObject *slow = PyObject_GetAttr((PyObject *)self, s_slow_attribute);
    if (slow == NULL) {
        return NULL;
    }
    PyObject *result = PyObject_Vectorcall(slow, args, given, names);
    Py_DECREF(slow);
    return result;
}

static PyObject *
span_set_attributes(SpanCore *self, PyObject *attributes)
{
    if (self->end_time == NULL && is_plain_mapping(attributes) && self->attributes != NULL && PyDict_CheckExact(self->attributes)
        && attributes != self->attributes
        && PyDict_GET_SIZE(self->attributes) + PyDict_GET_SIZE(attributes) <= self->room && all_plain(attributes)) {
        PyObject *key, *value;
        Py_ssize_t at = 0;
        while (PyDict_Next(attributes, &at, &key, &value)) {
            if (put_last(self->attributes, key, value) < 0) {
                return NULL;
            }
        }
        Py_RETURN_NONE;
    }
    return PyObject_CallMethodOneArg((PyObject *)self, s_slow_attributes, attributes);
}

static PyObject *
span_is_recording(SpanCore *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->end_time == NULL);
}

/* Give an ended span to the processor: put it on the stage where that is all there is to do. */
static int
span_give(SpanCore *self, PyObject *recording, PyObject *processor)
{
    PyObject *stages = PyObject_GetAttr(recording, s_stages);
    if (stages == NULL) {
        return -1;
    }
    Py_DECREF(stages);
    if (stages == Py_True) {
        PyObject *stage = PyObject_GetAttr(processor, s_stage);
        PyObject *quiet = stage == NULL ? NULL : PyObject_GetAttr(processor, s_quiet);
        if (quiet == NULL) {
            Py_XDECREF(stage);
            return -1;
        }
        Py_ssize_t staged = PyObject_Size(stage), most = PyLong_AsSsize_t(quiet);
        Py_DECREF(quiet);
        PyObject *done = NULL;
        if (staged >= 0 && staged < most) {
            done = PyObject_CallMethodOneArg(stage, s_append, (PyObject *)self);
            Py_DECREF(stage);
            Py_XDECREF(done);
            return done == NULL ? -1 : 0;
        }
        Py_DECREF(stage);
        if (PyErr_Occurred()) {
            return -1;
        }
    }
    PyObject *told = PyObject_CallMethodOneArg(processor, s_on_ending, (PyObject *)self);
    if (told == NULL) {
        return -1;
    }
    Py_DECREF(told);
    told = PyObject_CallMethodOneArg(processor, s_on_end, (PyObject *)self);
    Py_XDECREF(told);
    return told == NULL ? -1 : 0;
}

static PyObject *
span_end(SpanCore *self, PyObject *args, PyObject *named)
{
    static char *names[] = {"end_time", NULL};
    PyObject *end_time = Py_None;
    if ((PyTuple_GET_SIZE(args) || named != NULL) && !PyArg_ParseTupleAndKeywords(args, named, "|O:end", names, &end_time)) {
        return NULL;
    }
    /* Of several threads one comes through: nothing before this line lets another run. */
    if (!self->open) {
        return PyObject_CallMethodNoArgs((PyObject *)self, s_twice);
    }
    self->open = 0;
    PyObject *ended = end_time == Py_None ? now_ns() : Py_NewRef(end_time);
    if (ended == NULL) {
        return NULL;
    }
    Py_XSETREF(self->end_time, ended);
    if (self->attributes != NULL && !PyDict_CheckExact(self->attributes)) {
        PyObject *frozen = PyObject_CallMethodNoArgs((PyObject *)self, s_freeze);
        if (frozen == NULL) {
            return NULL;
        }
        Py_DECREF(frozen);
    }
    if (self->recording == NULL) {
        PyErr_SetString(PyExc_AttributeError, "_recording");
        return NULL;
    }
    /* Held, as what is called may give the span another. */
    PyObject *recording = Py_NewRef(self->recording);
    PyObject *processor = PyObject_GetAttr(recording, s_processor);
    int given = processor == NULL ? -1 : span_give(self, recording, processor);
    Py_XDECREF(processor);
    Py_DECREF(recording);
    if (given < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMemberDef span_members[] = {
    {"_recording", T_OBJECT_EX, offsetof(SpanCore, recording), 0, NULL},
    {"_name", T_OBJECT_EX, offsetof(SpanCore, name), 0, NULL},
    {"ids", T_OBJECT_EX, offsetof(SpanCore, ids), 0, NULL},
    {"_above", T_OBJECT_EX, offsetof(SpanCore, above), 0, NULL},
    {"_kind", T_OBJECT_EX, offsetof(SpanCore, kind), 0, NULL},
    {"_attributes", T_OBJECT_EX, offsetof(SpanCore, attributes), 0, NULL},
    {"_start_time", T_OBJECT_EX, offsetof(SpanCore, start_time), 0, NULL},
    {NULL},
};

static PyObject *
span_get_end_time(SpanCore *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->end_time == NULL ? Py_None : self->end_time);
}

static PyGetSetDef span_getset[] = {
    {"_end_time", (getter)span_get_end_time, NULL, NULL, NULL},
    {NULL},
};

static PyMethodDef span_methods[] = {
    {"set_attribute", (PyCFunction)(void (*)(void))span_set_attribute, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"set_attributes", (PyCFunction)span_set_attributes, METH_O, NULL},
    {"is_recording", (PyCFunction)span_is_recording, METH_NOARGS, NULL},
    {"end", (PyCFunction)(void (*)(void))span_end, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL},
};

static PyTypeObject SpanCoreType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib._native.SpanCore",
    .tp_basicsize = sizeof(SpanCore),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)span_dealloc,
    .tp_traverse = (traverseproc)span_traverse,
    .tp_clear = (inquiry)span_clear,
    .tp_methods = span_methods,
    .tp_members = span_members,
    .tp_getset = span_getset,
};

typedef struct {
    PyObject_HEAD
    PyObject *globals;
    PyObject *key;
    PyObject *provider;
    PyObject *tracer;
    PyObject *home;
    char fixed;
} SourceCore;

static int
source_traverse(SourceCore *self, visitproc visit, void *arg)
{
    Py_VISIT(self->globals);
    Py_VISIT(self->key);
    Py_VISIT(self->provider);
    Py_VISIT(self->tracer);
    Py_VISIT(self->home);
    return 0;
}

static int
source_clear(SourceCore *self)
{
    Py_CLEAR(self->globals);
    Py_CLEAR(self->key);
    Py_CLEAR(self->provider);
    Py_CLEAR(self->tracer);
    Py_CLEAR(self->home);
    return 0;
}

static void
source_dealloc(SourceCore *self)
{
    PyObject_GC_UnTrack(self);
    source_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
source_get(SourceCore *self, PyObject *Py_UNUSED(ignored))
{
    int known = self->fixed;
    if (!known && self->globals != NULL && PyDict_Check(self->globals) && self->key != NULL) {
        PyObject *provider = PyDict_GetItemWithError(self->globals, self->key);
        if (provider == NULL && PyErr_Occurred()) {
            return NULL;
        }
        known = provider != NULL && provider != Py_None && provider == self->provider;
    }
    return known ? Py_NewRef(self->tracer == NULL ? Py_None : self->tracer) : PyObject_CallMethodNoArgs((PyObject *)self, s_look_up);
}

static PyMemberDef source_members[] = {
    {"_globals", T_OBJECT_EX, offsetof(SourceCore, globals), 0, NULL},
    {"_key", T_OBJECT_EX, offsetof(SourceCore, key), 0, NULL},
    {"_provider", T_OBJECT_EX, offsetof(SourceCore, provider), 0, NULL},
    {"_tracer", T_OBJECT_EX, offsetof(SourceCore, tracer), 0, NULL},
    {"_home", T_OBJECT_EX, offsetof(SourceCore, home), 0, NULL},
    {"_fixed", T_BOOL, offsetof(SourceCore, fixed), 0, NULL},
    {NULL},
};

static PyMethodDef source_methods[] = {
    {"get", (PyCFunction)source_get, METH_NOARGS, NULL},
    {NULL},
};

static PyTypeObject SourceCoreType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib._native.SourceCore",
    .tp_basicsize = sizeof(SourceCore),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)source_dealloc,
    .tp_traverse = (traverseproc)source_traverse,
    .tp_clear = (inquiry)source_clear,
    .tp_methods = source_methods,
    .tp_members = source_members,
};

/* A span that starts now. Takes ``ids`` over, also where it fails. */
static PyObject *
made(PyObject *cls, PyObject *recording, PyObject *name, PyObject *ids, PyObject *above, PyObject *kind, PyObject *attributes,
     PyObject *marks)
{
    PyTypeObject *type = (PyTypeObject *)cls;
    PyObject *room = PyObject_GetAttr(recording, s_room);
    SpanCore *self = room == NULL ? NULL : (SpanCore *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_XDECREF(room);
        Py_DECREF(ids);
        return NULL;
    }
    self->room = PyLong_AsSsize_t(room);
    Py_DECREF(room);
    self->recording = Py_NewRef(recording);
    self->name = Py_NewRef(name);
    self->ids = ids;
    self->above = Py_NewRef(above);
    self->kind = Py_NewRef(kind);
    self->open = 1;
    self->start_time = now_ns();
    Py_ssize_t marked = PyDict_GET_SIZE(marks);
    int plain = 1;
    if (attributes == Py_None && marked <= self->room) {
        self->attributes = PyDict_Copy(marks);
    }
    else if (is_plain_mapping(attributes) && PyDict_GET_SIZE(attributes) + marked <= self->room && all_plain(attributes)) {
        self->attributes = PyDict_Copy(attributes);
        if (self->attributes != NULL && marked && PyDict_Update(self->attributes, marks) < 0) {
            Py_CLEAR(self->attributes);
        }
    }
    else {
        self->attributes = PyDict_New();
        plain = 0;
    }
    if (self->start_time == NULL || self->attributes == NULL || (self->room == -1 && PyErr_Occurred())) {
        Py_DECREF(self);
        return NULL;
    }
    for (int turn = 0; !plain && turn < 2; turn++) {
        PyObject *given = turn ? marks : attributes;
        PyObject *done = given == Py_None ? Py_NewRef(Py_None) : PyObject_CallMethodOneArg((PyObject *)self, s_set_attributes, given);
        if (done == NULL) {
            Py_DECREF(self);
            return NULL;
        }
        Py_DECREF(done);
    }
    return (PyObject *)self;
}

static PyObject *
random_id(PyObject *bits, PyObject *count)
{
    PyObject *found = PyObject_CallOneArg(bits, count);
    int some = found == NULL ? 1 : PyObject_IsTrue(found);
    if (some < 0) {
        Py_CLEAR(found);
    }
    else if (!some) {
        Py_SETREF(found, PyLong_FromLong(1));
    }
    return found;
}

/* What is not made from the core's own class has no room for its fields. */
static int
is_span_class(PyObject *cls)
{
    return PyType_Check(cls) && PyType_IsSubtype((PyTypeObject *)cls, &SpanCoreType);
}

static PyObject *
child_ids(PyObject *bits, PyObject *above)
{
    PyObject *span_id = random_id(bits, s_64);
    if (span_id == NULL) {
        return NULL;
    }
    PyObject *ids
        = PyTuple_Pack(6, PyTuple_GET_ITEM(above, 0), span_id, Py_False, PyTuple_GET_ITEM(above, 3), PyTuple_GET_ITEM(above, 4), Py_True);
    Py_DECREF(span_id);
    return ids;
}

/* record(cls, recording, name, ids or what gives random bits, above, kind, attributes, marks) */
static PyObject *
record(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 8 || !is_span_class(args[0]) || !PyDict_Check(args[7])
        || (!PyTuple_Check(args[3]) && (!PyTuple_Check(args[4]) || PyTuple_GET_SIZE(args[4]) < 5))) {
        PyErr_SetString(PyExc_TypeError, "record takes a class, what it records for, name, ids, ids above, kind, attributes and marks");
        return NULL;
    }
    PyObject *above = args[4], *ids;
    if (PyTuple_Check(args[3])) {
        ids = Py_NewRef(args[3]);
    }
    else {
        ids = child_ids(args[3], above);
    }
    return ids == NULL ? NULL : made(args[0], args[1], args[2], ids, above, args[5], args[6], args[7]);
}

/* root(cls, recording, name, what gives random bits, kind, attributes, (threshold, marks, state), (flags, flags, state)) */
static PyObject *
root(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 8 || !is_span_class(args[0]) || !PyTuple_Check(args[6]) || PyTuple_GET_SIZE(args[6]) != 3 || !PyTuple_Check(args[7])
        || PyTuple_GET_SIZE(args[7]) != 3 || !PyDict_Check(PyTuple_GET_ITEM(args[6], 1))) {
        PyErr_SetString(PyExc_TypeError, "root takes a class, what it records for, name, bits, kind, attributes, a decision and flags");
        return NULL;
    }
    PyObject *trace_id = random_id(args[3], s_128), *span_id = trace_id == NULL ? NULL : random_id(args[3], s_64);
    unsigned long long threshold = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(args[6], 0));
    if (span_id == NULL || PyErr_Occurred()) {
        Py_XDECREF(trace_id);
        Py_XDECREF(span_id);
        return NULL;
    }
    unsigned long long randomness = PyLong_AsUnsignedLongLongMask(trace_id) & RANDOMNESS;
    if (PyErr_Occurred()) {
        Py_DECREF(trace_id);
        Py_DECREF(span_id);
        return NULL;
    }
    int sampled = randomness >= threshold;
    PyObject *state = sampled ? PyTuple_GET_ITEM(args[6], 2) : PyTuple_GET_ITEM(args[7], 2);
    PyObject *ids = PyTuple_Pack(6, trace_id, span_id, Py_False, PyTuple_GET_ITEM(args[7], sampled), state, Py_True);
    Py_DECREF(trace_id);
    Py_DECREF(span_id);
    if (ids == NULL || !sampled) {
        return ids;
    }
    return made(args[0], args[1], args[2], ids, Py_None, args[4], args[5], PyTuple_GET_ITEM(args[6], 1));
}

/* A context with the entries of another and one more. */
static PyObject *
context_with(PyObject *cls, PyObject *context, PyObject *key, PyObject *value)
{
    PyObject *none = PyTuple_New(0);
    PyObject *found = none == NULL ? NULL : PyDict_Type.tp_new((PyTypeObject *)cls, none, NULL);
    Py_XDECREF(none);
    if (found != NULL && ((PyDict_GET_SIZE(context) && PyDict_Update(found, context) < 0) || PyDict_SetItem(found, key, value) < 0)) {
        Py_CLEAR(found);
    }
    return found;
}

/* derived(Context, key, value, context): the context with one entry more, or another. */
static PyObject *
derived(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 4 || !PyType_Check(args[0]) || !PyType_IsSubtype((PyTypeObject *)args[0], &PyDict_Type) || !PyDict_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "derived takes a class, a key, a value and a context");
        return NULL;
    }
    return context_with(args[0], args[3], args[1], args[2]);
}

static const char DIGITS[] = "0123456789abcdef";

static int
value_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
read_hex(const char *from, int digits, unsigned long long *number)
{
    unsigned long long found = 0;
    for (int at = 0; at < digits; at++) {
        int value = value_of(from[at]);
        if (value < 0) {
            return -1;
        }
        found = found << 4 | (unsigned long long)value;
    }
    *number = found;
    return 0;
}

static void
write_hex(char *to, int digits, unsigned long long number)
{
    for (int at = digits - 1; at >= 0; at--, number >>= 4) {
        to[at] = DIGITS[number & 15];
    }
}

/* The halves of a trace id; -1 with an exception for what is none. */
static int
halves(PyObject *trace_id, unsigned long long *high, unsigned long long *low)
{
    *low = PyLong_AsUnsignedLongLongMask(trace_id);
    if (*low == (unsigned long long)-1 && PyErr_Occurred()) {
        return -1;
    }
    PyObject *upper = PyNumber_Rshift(trace_id, s_64);
    if (upper == NULL) {
        return -1;
    }
    *high = PyLong_AsUnsignedLongLong(upper);
    Py_DECREF(upper);
    return *high == (unsigned long long)-1 && PyErr_Occurred() ? -1 : 0;
}

/* Whether a header's name or value is text or bytes, and what it is. */
static int
text_of(PyObject *object, const char **text, Py_ssize_t *length)
{
    if (PyBytes_CheckExact(object)) {
        *text = PyBytes_AS_STRING(object);
        *length = PyBytes_GET_SIZE(object);
        return 1;
    }
    if (PyUnicode_CheckExact(object) && PyUnicode_IS_COMPACT_ASCII(object)) {
        *text = (const char *)PyUnicode_1BYTE_DATA(object);
        *length = PyUnicode_GET_LENGTH(object);
        return 1;
    }
    return 0;
}

static PyObject *
ids_in(PyObject *parent, PyObject *state, PyObject *flags)
{
    const char *text;
    Py_ssize_t length;
    unsigned long long high, low, span;
    if (!text_of(parent, &text, &length) || length != TRACEPARENT || memcmp(text, "00-", 3) != 0 || text[35] != '-'
        || text[52] != '-' || text[53] != '0' || text[54] < '0' || text[54] > '3' || read_hex(text + 3, 16, &high) < 0
        || read_hex(text + 19, 16, &low) < 0 || read_hex(text + 36, SPAN_DIGITS, &span) < 0 || !(high | low) || !span) {
        Py_RETURN_FALSE;
    }
    char digits[TRACE_DIGITS + 1];
    memcpy(digits, text + 3, TRACE_DIGITS);
    digits[TRACE_DIGITS] = 0;
    PyObject *trace_id = PyLong_FromString(digits, NULL, 16);
    PyObject *span_id = PyLong_FromUnsignedLongLong(span);
    PyObject *found = NULL;
    if (trace_id != NULL && span_id != NULL) {
        found = PyTuple_Pack(6, trace_id, span_id, Py_True, PyTuple_GET_ITEM(flags, text[54] - '0'), state, Py_True);
    }
    Py_XDECREF(trace_id);
    Py_XDECREF(span_id);
    return found;
}

/* The ids in plain headers; None without, False where it takes more to read them. */
static PyObject *
ids_of_caller(PyObject *states, PyObject *flags, PyObject *default_state, PyObject *headers)
{
    PyObject *pairs = PySequence_Fast(headers, "headers are pairs");
    if (pairs == NULL) {
        return NULL;
    }
    PyObject *parent = NULL, *state = NULL;
    int plain = 1;
    for (Py_ssize_t at = 0; plain && at < PySequence_Fast_GET_SIZE(pairs); at++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(pairs, at);
        const char *name;
        Py_ssize_t length;
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2 || !text_of(PyTuple_GET_ITEM(pair, 0), &name, &length)) {
            plain = 0;
        }
        else if (length == 11 && memcmp(name, "traceparent", 11) == 0) {
            plain = parent == NULL;
            parent = PyTuple_GET_ITEM(pair, 1);
        }
        else if (length == 10 && memcmp(name, "tracestate", 10) == 0) {
            plain = state == NULL;
            state = PyTuple_GET_ITEM(pair, 1);
        }
        else if (length == 7 && memcmp(name, "baggage", 7) == 0) {
            plain = 0;
        }
    }
    PyObject *found, *known = default_state;
    if (plain && parent != NULL && state != NULL) {
        known = PyUnicode_CheckExact(state) || PyBytes_CheckExact(state) ? PyDict_GetItemWithError(states, state) : NULL;
    }
    if (known == NULL && PyErr_Occurred()) {
        found = NULL;
    }
    else if (!plain || known == NULL) {
        found = Py_NewRef(Py_False);
    }
    else {
        found = parent == NULL ? Py_NewRef(Py_None) : ids_in(parent, known, flags);
    }
    Py_DECREF(pairs);
    return found;
}

/* caller(states, flags, default state, headers) */
static PyObject *
caller(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 4 || !PyDict_Check(args[0]) || !PyTuple_Check(args[1]) || PyTuple_GET_SIZE(args[1]) < 4) {
        PyErr_SetString(PyExc_TypeError, "caller takes states, flags, the default state and headers");
        return NULL;
    }
    return ids_of_caller(args[0], args[1], args[2], args[3]);
}

static PyObject *
traceparent(PyObject *Py_UNUSED(module), PyObject *ids)
{
    unsigned long long high, low, span;
    if (!PyTuple_Check(ids) || PyTuple_GET_SIZE(ids) < 4) {
        PyErr_SetString(PyExc_TypeError, "traceparent takes a span's ids");
        return NULL;
    }
    unsigned long flags = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(ids, 3));
    span = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(ids, 1));
    if (PyErr_Occurred() || halves(PyTuple_GET_ITEM(ids, 0), &high, &low) < 0) {
        return NULL;
    }
    char text[TRACEPARENT];
    memcpy(text, "00-", 3);
    write_hex(text + 3, 16, high);
    write_hex(text + 19, 16, low);
    text[35] = '-';
    write_hex(text + 36, SPAN_DIGITS, span);
    text[52] = '-';
    write_hex(text + 53, 2, flags & 255);
    return PyUnicode_FromStringAndSize(text, TRACEPARENT);
}

/* What the short way to a span needs that is the same for a whole process, in the order of pure.Home. */
enum {
    VARIABLE, CONTEXT, SPAN_KEY, SPAN, TRACER, BITS, NO_MARKS, SERVER, NOT_RECORDED, TEXTMAPS, TEXTMAP, PROPAGATOR,
    FLAGS, DEFAULT_STATE, PLACES
};

static int
is_home(PyObject *home)
{
    if (PyTuple_Check(home) && PyTuple_GET_SIZE(home) == PLACES && is_span_class(PyTuple_GET_ITEM(home, SPAN))
        && PyType_Check(PyTuple_GET_ITEM(home, CONTEXT)) && PyType_IsSubtype((PyTypeObject *)PyTuple_GET_ITEM(home, CONTEXT), &PyDict_Type)
        && PyDict_Check(PyTuple_GET_ITEM(home, NO_MARKS)) && PyDict_Check(PyTuple_GET_ITEM(home, TEXTMAPS))
        && PyTuple_Check(PyTuple_GET_ITEM(home, FLAGS)) && PyTuple_GET_SIZE(PyTuple_GET_ITEM(home, FLAGS)) >= 4) {
        return 1;
    }
    return 0;
}

#define HOME(place) PyTuple_GET_ITEM(home, place)

/* What a tracer's spans have in common, where it is one of ours and a span that starts is to be counted and nothing else; else NULL. */
static PyObject *
quick_recording(PyObject *home, PyObject *tracer)
{
    if ((PyObject *)Py_TYPE(tracer) != HOME(TRACER)) {
        return NULL;
    }
    PyObject *recording = PyObject_GetAttr(tracer, s_quick);
    if (recording == NULL || recording == Py_None) {
        Py_XDECREF(recording);
        return NULL;
    }
    PyObject *processor = PyObject_GetAttr(recording, s_processor);
    PyObject *others = processor == NULL ? NULL : PyObject_GetAttr(processor, s_span_processors);
    Py_XDECREF(processor);
    int none = others != NULL && PyTuple_Check(others) && PyTuple_GET_SIZE(others) == 0;
    Py_XDECREF(others);
    if (!none) {
        Py_CLEAR(recording);
    }
    return recording;
}

/* Count a span that started; takes it over, also where it fails. */
static PyObject *
counted(PyObject *recording, PyObject *span)
{
    PyObject *count = span == NULL ? NULL : PyObject_GetAttr(recording, s_started);
    PyObject *done = count == NULL ? NULL : PyObject_CallNoArgs(count);
    Py_XDECREF(count);
    Py_XDECREF(done);
    if (done == NULL) {
        Py_CLEAR(span);
    }
    return span;
}

/* enter(source, name, kind, attributes): start a child of the current span and make it current; span and the context before, or None
 * where it takes more. */
static PyObject *
enter(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 4 || !PyObject_TypeCheck(args[0], &SourceCoreType)) {
        PyErr_SetString(PyExc_TypeError, "enter takes a source, name, kind and attributes");
        return NULL;
    }
    PyObject *tracer = source_get((SourceCore *)args[0], NULL), *home = ((SourceCore *)args[0])->home;
    if (tracer == NULL) {
        return NULL;
    }
    if (home == NULL || !is_home(home) || HOME(VARIABLE) == Py_None) {
        Py_DECREF(tracer);
        Py_RETURN_NONE;
    }
    PyObject *recording = quick_recording(home, tracer), *before = NULL, *span = NULL, *active = NULL, *result = NULL;
    Py_DECREF(tracer);
    if (recording == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    if (PyContextVar_Get(HOME(VARIABLE), NULL, &before) < 0) {
        goto done;
    }
    PyObject *current = before != NULL && PyDict_Check(before) ? PyDict_GetItemWithError(before, HOME(SPAN_KEY)) : NULL;
    if (current == NULL || (PyObject *)Py_TYPE(current) != HOME(SPAN)) {
        result = PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
        goto done;
    }
    PyObject *above = ((SpanCore *)current)->ids;
    PyObject *ids = above != NULL && PyTuple_Check(above) && PyTuple_GET_SIZE(above) >= 5 ? child_ids(HOME(BITS), above) : NULL;
    if (ids == NULL) {
        result = PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
        goto done;
    }
    span = counted(recording, made(HOME(SPAN), recording, args[1], ids, above, args[2], args[3], HOME(NO_MARKS)));
    active = span == NULL ? NULL : context_with(HOME(CONTEXT), before, HOME(SPAN_KEY), span);
    PyObject *token = active == NULL ? NULL : PyContextVar_Set(HOME(VARIABLE), active);
    if (token != NULL) {
        Py_DECREF(token);
        result = PyTuple_Pack(2, span, before);
    }
done:
    Py_DECREF(recording);
    Py_XDECREF(before);
    Py_XDECREF(span);
    Py_XDECREF(active);
    return result;
}

/* The first span of a trace, where the tracer's sampler can be asked for no more than the operation. NULL without an exception else. */
static PyObject *
first_span(PyObject *home, PyObject *tracer, PyObject *recording, PyObject *name, PyObject *attributes)
{
    PyObject *inner = PyObject_GetAttr(tracer, s_inner);
    PyObject *config = inner == NULL ? NULL : PyObject_GetAttr(inner, s_tracer_config);
    PyObject *enabled = config == NULL ? NULL : PyObject_GetAttr(config, s_is_enabled);
    PyObject *decide = enabled == Py_True ? PyObject_GetAttr(tracer, s_decide) : NULL;
    Py_XDECREF(inner);
    Py_XDECREF(config);
    Py_XDECREF(enabled);
    if (decide == NULL || decide == Py_None) {
        Py_XDECREF(decide);
        return NULL;
    }
    PyObject *otherwise = PyObject_GetAttr(tracer, s_otherwise);
    PyObject *decision = otherwise == NULL ? NULL : PyObject_CallOneArg(decide, name);
    Py_DECREF(decide);
    PyObject *span = NULL;
    if (decision != NULL && decision != Py_None) {
        PyObject *arguments[] = {HOME(SPAN), recording, name, HOME(BITS), HOME(SERVER), attributes, decision, otherwise};
        span = root(NULL, arguments, 8);
    }
    Py_XDECREF(otherwise);
    Py_XDECREF(decision);
    return span;
}

/* serve(source, before, name, attributes, headers, key): start the span of a request that nobody here asked for; span and the context in
 * which it is to become current, or None where it takes more. ``key``: under which that context holds name and span; or None. */
static PyObject *
serve(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 6 || !PyObject_TypeCheck(args[0], &SourceCoreType) || !PyDict_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "serve takes a source, a context, name, attributes, headers and a key");
        return NULL;
    }
    PyObject *before = args[1], *name = args[2], *attributes = args[3];
    PyObject *tracer = source_get((SourceCore *)args[0], NULL), *home = ((SourceCore *)args[0])->home;
    if (tracer == NULL) {
        return NULL;
    }
    if (home == NULL || !is_home(home)) {
        Py_DECREF(tracer);
        Py_RETURN_NONE;
    }
    PyObject *propagator = PyDict_GetItemWithError(HOME(TEXTMAPS), HOME(TEXTMAP));
    int held = PyDict_Contains(before, HOME(SPAN_KEY));
    if (held != 0 || propagator == NULL || (PyObject *)Py_TYPE(propagator) != HOME(PROPAGATOR)) {
        Py_DECREF(tracer);
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    PyObject *recording = quick_recording(home, tracer);
    PyObject *states = recording == NULL ? NULL : PyObject_GetAttr(propagator, s_states);
    PyObject *above = states == NULL ? NULL : ids_of_caller(states, HOME(FLAGS), HOME(DEFAULT_STATE), args[4]);
    Py_XDECREF(states);
    PyObject *span = NULL, *active = NULL, *result = NULL;
    int counts = 1;
    if (above == Py_None) {
        span = first_span(home, tracer, recording, name, attributes);
    }
    else if (above != NULL && above != Py_False) {
        if (PyLong_AsLong(PyTuple_GET_ITEM(above, 3)) & 1) {
            PyObject *ids = child_ids(HOME(BITS), above);
            span = ids == NULL ? NULL : made(HOME(SPAN), recording, name, ids, above, HOME(SERVER), attributes, HOME(NO_MARKS));
        }
        else {
            span = Py_NewRef(above);
        }
    }
    if (span != NULL && PyTuple_Check(span)) {
        Py_SETREF(span, PyObject_CallOneArg(HOME(NOT_RECORDED), span));
        counts = 0;
    }
    if (span != NULL && counts) {
        span = counted(recording, span);
    }
    if (span != NULL) {
        active = context_with(HOME(CONTEXT), before, HOME(SPAN_KEY), span);
        PyObject *served = active == NULL || args[5] == Py_None ? NULL : PyTuple_Pack(2, name, span);
        if (served != NULL && PyDict_SetItem(active, args[5], served) < 0) {
            Py_CLEAR(active);
        }
        Py_XDECREF(served);
    }
    if (active != NULL && !PyErr_Occurred()) {
        result = PyTuple_Pack(2, span, active);
    }
    Py_DECREF(tracer);
    Py_XDECREF(recording);
    Py_XDECREF(above);
    Py_XDECREF(span);
    Py_XDECREF(active);
    return result != NULL || PyErr_Occurred() ? result : Py_NewRef(Py_None);
}

/* token(trace id, span id, sampled, hundredths of a second): 30 bytes in URL-safe base64. */
static PyObject *
token(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned long long parts[3];
    if (given != 4) {
        PyErr_SetString(PyExc_TypeError, "token takes trace id, span id, sampled and a time");
        return NULL;
    }
    int sampled = PyObject_IsTrue(args[2]);
    unsigned long long time_part = PyLong_AsUnsignedLongLong(args[3]);
    parts[2] = PyLong_AsUnsignedLongLong(args[1]);
    if (PyErr_Occurred() || halves(args[0], &parts[0], &parts[1]) < 0) {
        return NULL;
    }
    unsigned char raw[TOKEN_BYTES];
    for (int at = 0; at < 24; at++) {
        raw[at] = (unsigned char)(parts[at / 8] >> (56 - 8 * (at % 8)));
    }
    raw[24] = (unsigned char)sampled;
    for (int at = 0; at < 5; at++) {
        raw[25 + at] = (unsigned char)(time_part >> (32 - 8 * at));
    }
    char text[4 + TOKEN_TEXT];
    memcpy(text, "ve1.", 4);
    for (int at = 0, to = 4; at < TOKEN_BYTES; at += 3, to += 4) {
        unsigned three = (unsigned)raw[at] << 16 | (unsigned)raw[at + 1] << 8 | raw[at + 2];
        for (int part = 0; part < 4; part++) {
            text[to + part] = LETTERS[three >> (18 - 6 * part) & 63];
        }
    }
    return PyUnicode_FromStringAndSize(text, sizeof text);
}

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
        {&s_otherwise, "otherwise"}, {&s_states, "states"}, {&s_inner, "inner"}, {&s_tracer_config, "_tracer_config"},
        {&s_is_enabled, "is_enabled"},
    };
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        if ((*names[at].where = PyUnicode_InternFromString(names[at].text)) == NULL) {
            return NULL;
        }
    }
    if ((s_64 = PyLong_FromLong(64)) == NULL || (s_128 = PyLong_FromLong(128)) == NULL || PyType_Ready(&SpanCoreType) < 0
        || PyType_Ready(&SourceCoreType) < 0) {
        return NULL;
    }
    PyObject *found = PyModule_Create(&module);
    if (found == NULL || PyModule_AddObjectRef(found, "SpanCore", (PyObject *)&SpanCoreType) < 0
        || PyModule_AddObjectRef(found, "SourceCore", (PyObject *)&SourceCoreType) < 0) {
        Py_XDECREF(found);
        return NULL;
    }
    return found;
}
