/* SpanCore: what a recorded span holds, what is done to it, and how it is made. */

/* Bits of a trace id that decide whether it is sampled (W3C Trace Context, level 2). */
static const unsigned long long RANDOMNESS = (1ULL << 56) - 1;

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
    PyObject *status;
    PyObject *later;
    Py_ssize_t room;
    char open;
    char eventful;
    char linked;
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
    Py_VISIT(self->status);
    Py_VISIT(self->later);
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
    Py_CLEAR(self->status);
    Py_CLEAR(self->later);
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

/* Put an ended span on the stage of a processor; 0 where there is more to do, -1 with an exception. */
static int
span_stage(SpanCore *self, PyObject *processor)
{
    PyObject *stage = PyObject_TypeCheck(processor, &StageCoreType) ? ((StageCore *)processor)->stage : NULL;
    if (stage == NULL) {
        return 0;
    }
    Py_INCREF(stage);
    Py_ssize_t staged = PyObject_Size(stage), most = ((StageCore *)processor)->quiet;
    int put = staged < 0 ? -1 : staged < most;
    if (put > 0) {
        PyObject *done = PyObject_CallMethodOneArg(stage, s_append, (PyObject *)self);
        put = done == NULL ? -1 : 1;
        Py_XDECREF(done);
    }
    Py_DECREF(stage);
    return put;
}

/* Give an ended span to the processor: put it on the stage where that is all there is to do. */
static int
span_give(SpanCore *self, PyObject *recording, PyObject *processor)
{
    int stages = stages_of(recording);
    int staged = stages > 0 ? span_stage(self, processor) : stages;
    if (staged) {
        return staged < 0 ? -1 : 0;
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
    PyObject *processor = processor_of(recording);
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
    {"_eventful", T_BOOL, offsetof(SpanCore, eventful), 0, NULL},
    {"_linked", T_BOOL, offsetof(SpanCore, linked), 0, NULL},
    {NULL},
};

static PyObject *
span_get_end_time(SpanCore *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->end_time == NULL ? Py_None : self->end_time);
}

static PyObject *
span_get_status(SpanCore *self, void *Py_UNUSED(closure))
{
    return self->status == NULL ? PyObject_GetAttr((PyObject *)self, s_unset) : Py_NewRef(self->status);
}

static PyObject *
span_get_later(SpanCore *self, void *Py_UNUSED(closure))
{
    return self->later == NULL ? PyTuple_New(0) : Py_NewRef(self->later);
}

/* Deleted, it is as it was at the beginning. */
static int
span_set_object(PyObject *self, PyObject *value, void *offset)
{
    PyObject **field = (PyObject **)((char *)self + (size_t)offset);
    Py_XSETREF(*field, Py_XNewRef(value));
    return 0;
}

static PyGetSetDef span_getset[] = {
    {"_end_time", (getter)span_get_end_time, NULL, NULL, NULL},
    {"_status", (getter)span_get_status, span_set_object, NULL, (void *)offsetof(SpanCore, status)},
    {"_later", (getter)span_get_later, span_set_object, NULL, (void *)offsetof(SpanCore, later)},
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
    .tp_name = "tracing_lib.fast._native.SpanCore",
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

/* A span that starts now. Takes ``ids`` over, also where it fails. */
static PyObject *
made(PyObject *cls, PyObject *recording, PyObject *name, PyObject *ids, PyObject *above, PyObject *kind, PyObject *attributes,
     PyObject *marks)
{
    PyTypeObject *type = (PyTypeObject *)cls;
    Py_ssize_t room = room_of(recording);
    SpanCore *self = room == -1 && PyErr_Occurred() ? NULL : (SpanCore *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_DECREF(ids);
        return NULL;
    }
    self->room = room;
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
    if (self->start_time == NULL || self->attributes == NULL) {
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
