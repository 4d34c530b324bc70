/* SpanCore: the fields of a recorded span, its methods, and how it is made. */

/* Bits of a trace id that decide whether it is sampled (W3C Trace Context, level 2). */
static const unsigned long long RANDOMNESS = (1ULL << 56) - 1;

typedef struct {
    PyObject_HEAD
    PyObject *origin;      /* an Origin */
    PyObject *name;
    PyObject *ids;         /* the fields of its SpanContext */
    PyObject *context;     /* its SpanContext, made when it is asked for */
    PyObject *above;       /* the fields of the parent's SpanContext, or None */
    PyObject *kind;
    PyObject *attributes;  /* a dict, or from the first value that is not plain the SDK's BoundedAttributes */
    PyObject *start_time;
    PyObject *end_time;
    PyObject *status;
    PyObject *plain_links; /* SpanContexts of links without attributes, of which the SDK's Links are made when they are asked for */
    Py_ssize_t room;
    char open;
    char eventful;         /* the SDK's list of events was made */
    char linked;           /* the SDK's list of links was made */
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
    Py_VISIT(self->origin);
    Py_VISIT(self->name);
    Py_VISIT(self->ids);
    Py_VISIT(self->context);
    Py_VISIT(self->above);
    Py_VISIT(self->kind);
    Py_VISIT(self->attributes);
    Py_VISIT(self->start_time);
    Py_VISIT(self->end_time);
    Py_VISIT(self->status);
    Py_VISIT(self->plain_links);
    return 0;
}

static int
span_clear(SpanCore *self)
{
    Py_CLEAR(self->origin);
    Py_CLEAR(self->name);
    Py_CLEAR(self->ids);
    Py_CLEAR(self->context);
    Py_CLEAR(self->above);
    Py_CLEAR(self->kind);
    Py_CLEAR(self->attributes);
    Py_CLEAR(self->start_time);
    Py_CLEAR(self->end_time);
    Py_CLEAR(self->status);
    Py_CLEAR(self->plain_links);
    return 0;
}

static void
span_dealloc(SpanCore *self)
{
    PyObject_GC_UnTrack(self);
    span_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Have a method in Python do it, with the arguments as they came. */
static PyObject *
call_slow(SpanCore *self, PyObject *method, PyObject *const *args, Py_ssize_t given, PyObject *names)
{
    PyObject *slow = PyObject_GetAttr((PyObject *)self, method);
    PyObject *result = slow == NULL ? NULL : PyObject_Vectorcall(slow, args, given, names);
    Py_XDECREF(slow);
    return result;
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
    return call_slow(self, s_slow_attribute, args, given, names);
}

static PyObject *
span_set_attributes(SpanCore *self, PyObject *const *args, Py_ssize_t given, PyObject *names)
{
    /* Also as set_attributes(attributes=...). */
    int one = given == 1 ? names == NULL : given == 0 && names != NULL && PyTuple_GET_SIZE(names) == 1 && PyTuple_GET_ITEM(names, 0) == s_attributes;
    PyObject *attributes = one ? args[0] : NULL;
    if (one && self->end_time == NULL && is_plain_mapping(attributes) && self->attributes != NULL && PyDict_CheckExact(self->attributes)
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
    return call_slow(self, s_slow_attributes, args, given, names);
}

static PyObject *
span_is_recording(SpanCore *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->end_time == NULL);
}

static PyObject *
span_get_context(SpanCore *self, void *Py_UNUSED(closure))
{
    if (self->ids == NULL || !PyTuple_Check(self->ids)) {
        PyErr_SetString(PyExc_AttributeError, "_context");
        return NULL;
    }
    if (self->context == NULL) {
        PyObject *cls = constants[SPAN_CONTEXT];
        if ((PyObject *)Py_TYPE(self->ids) == cls) {
            self->context = Py_NewRef(self->ids);
        }
        else {
            /* Without its constructor, which checks what is known here. */
            PyObject *fields = PyTuple_Pack(1, self->ids);
            PyObject *made = fields == NULL ? NULL : PyTuple_Type.tp_new((PyTypeObject *)cls, fields, NULL);
            Py_XDECREF(fields);
            if (made == NULL) {
                return NULL;
            }
            Py_XSETREF(self->context, made);
        }
    }
    return Py_NewRef(self->context);
}

static PyObject *
span_get_span_context(SpanCore *self, PyObject *Py_UNUSED(ignored))
{
    return span_get_context(self, NULL);
}

/* Append an ended span to those that wait for the export thread; 0 where that thread may have to be woken, -1 with an exception. */
static int
span_append(SpanCore *self, PyObject *processor)
{
    PyObject *pending = PyObject_GetAttr(processor, s_pending);
    PyObject *quiet = pending == NULL ? NULL : PyObject_GetAttr(processor, s_quiet);
    Py_ssize_t most = quiet == NULL ? -1 : PyLong_AsSsize_t(quiet), waiting = pending == NULL ? -1 : PyObject_Size(pending);
    int put = PyErr_Occurred() ? -1 : waiting < most;
    if (put > 0) {
        PyObject *done = PyObject_CallMethodOneArg(pending, s_append, (PyObject *)self);
        put = done == NULL ? -1 : 1;
        Py_XDECREF(done);
    }
    Py_XDECREF(pending);
    Py_XDECREF(quiet);
    return put;
}

/* -1 with an exception. */
static int
tell(PyObject *processor, PyObject *method, SpanCore *span)
{
    PyObject *done = PyObject_CallMethodOneArg(processor, method, (PyObject *)span);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Give an ended span to the processors. */
static int
span_hand_over(SpanCore *self)
{
    Pipeline *pipeline = pipeline_of(self->origin);
    int only = pipeline->direct != NULL && pipeline->direct != Py_None, done = -1;
    PyObject *processor = Py_XNewRef(only ? pipeline->direct : pipeline->processor);
    if (processor == NULL) {
        PyErr_SetString(PyExc_AttributeError, "processor");
    }
    else if (only) {
        int put = span_append(self, processor);
        done = put ? (put < 0 ? -1 : 0) : tell(processor, s_on_end, self);
    }
    else {
        done = tell(processor, s_on_ending, self) < 0 ? -1 : tell(processor, s_on_end, self);
    }
    Py_DECREF(pipeline);
    Py_XDECREF(processor);
    return done;
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
    if (span_hand_over(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* A copy that shares what it holds, as copy.copy gives of the SDK's span; what the instance's dictionary holds is the caller's to copy. */
static PyObject *
span_copied(SpanCore *self, PyObject *Py_UNUSED(ignored))
{
    SpanCore *made = (SpanCore *)Py_TYPE(self)->tp_alloc(Py_TYPE(self), 0);
    if (made != NULL) {
        made->origin = Py_XNewRef(self->origin);
        made->name = Py_XNewRef(self->name);
        made->ids = Py_XNewRef(self->ids);
        made->above = Py_XNewRef(self->above);
        made->kind = Py_XNewRef(self->kind);
        made->attributes = Py_XNewRef(self->attributes);
        made->start_time = Py_XNewRef(self->start_time);
        made->end_time = Py_XNewRef(self->end_time);
        made->status = Py_XNewRef(self->status);
        made->plain_links = self->plain_links == NULL ? NULL : PyList_GetSlice(self->plain_links, 0, PY_SSIZE_T_MAX);
        made->room = self->room;
        made->open = self->open;
        made->eventful = self->eventful;
        made->linked = self->linked;
    }
    return (PyObject *)made;
}

/* _add_plain_link(context, most): keep the context of a link without attributes; False where the SDK has to take the link. */
static PyObject *
span_add_plain_link(SpanCore *self, PyObject *const *args, Py_ssize_t given)
{
    Py_ssize_t most = given == 2 ? PyLong_AsSsize_t(args[1]) : -1;
    if (most < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "_add_plain_link takes a context, and how many links there may be");
        }
        return NULL;
    }
    if (self->plain_links == NULL) {
        /* To make a list may collect garbage, and a finalizer may let another thread add the first link. */
        PyObject *made = PyList_New(0);
        if (made == NULL) {
            return NULL;
        }
        if (self->plain_links == NULL) {
            self->plain_links = made;
        } else {
            Py_DECREF(made);
        }
    }
    if (self->end_time != NULL || self->linked || PyList_GET_SIZE(self->plain_links) >= most) {
        Py_RETURN_FALSE;
    }
    return PyList_Append(self->plain_links, args[0]) < 0 ? NULL : Py_NewRef(Py_True);
}

static PyMemberDef span_members[] = {
    {"_origin", T_OBJECT_EX, offsetof(SpanCore, origin), READONLY, NULL},
    {"_name", T_OBJECT_EX, offsetof(SpanCore, name), 0, NULL},
    {"ids", T_OBJECT_EX, offsetof(SpanCore, ids), READONLY, NULL},
    {"_above", T_OBJECT_EX, offsetof(SpanCore, above), READONLY, NULL},
    {"_kind", T_OBJECT_EX, offsetof(SpanCore, kind), READONLY, NULL},
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
span_get_plain_links(SpanCore *self, void *Py_UNUSED(closure))
{
    return self->plain_links == NULL ? PyTuple_New(0) : PyList_AsTuple(self->plain_links);
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
    {"_plain_links", (getter)span_get_plain_links, NULL, NULL, NULL},
    {"_context", (getter)span_get_context, NULL, NULL, NULL},
    {NULL},
};

static PyMethodDef span_methods[] = {
    {"set_attribute", (PyCFunction)(void (*)(void))span_set_attribute, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"set_attributes", (PyCFunction)(void (*)(void))span_set_attributes, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"is_recording", (PyCFunction)span_is_recording, METH_NOARGS, NULL},
    {"get_span_context", (PyCFunction)span_get_span_context, METH_NOARGS, NULL},
    {"_add_plain_link", (PyCFunction)(void (*)(void))span_add_plain_link, METH_FASTCALL, NULL},
    {"_copied", (PyCFunction)span_copied, METH_NOARGS, NULL},
    {"end", (PyCFunction)(void (*)(void))span_end, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL},
};

static PyObject *
span_new(PyTypeObject *Py_UNUSED(type), PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(named))
{
    PyErr_SetString(PyExc_TypeError, "Span must be instantiated via a tracer.");
    return NULL;
}

static PyTypeObject SpanCoreType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib.fast._native.SpanCore",
    .tp_basicsize = sizeof(SpanCore),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = span_new,
    .tp_dealloc = (destructor)span_dealloc,
    .tp_traverse = (traverseproc)span_traverse,
    .tp_clear = (inquiry)span_clear,
    .tp_methods = span_methods,
    .tp_members = span_members,
    .tp_getset = span_getset,
};

/* A span that starts now, of the class that was set up. Takes ``ids`` over, also where it fails. ``marks``: further attributes, plain ones. */
static PyObject *
made(PyObject *origin, PyObject *name, PyObject *ids, PyObject *above, PyObject *kind, PyObject *attributes, PyObject *marks)
{
    PyTypeObject *type = (PyTypeObject *)constants[SPAN];
    SpanCore *self = (SpanCore *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_DECREF(ids);
        return NULL;
    }
    self->room = ((Origin *)origin)->room;
    self->origin = Py_NewRef(origin);
    self->name = Py_NewRef(name);
    self->ids = ids;
    self->above = Py_NewRef(above);
    self->kind = Py_NewRef(kind);
    self->open = 1;
    self->start_time = now_ns();
    Py_ssize_t marked = marks == NULL ? 0 : PyDict_GET_SIZE(marks);
    int plain = 1;
    if (attributes == Py_None && marked <= self->room) {
        self->attributes = marked ? PyDict_Copy(marks) : PyDict_New();
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
        PyObject *done = given == NULL || given == Py_None ? Py_NewRef(Py_None) : PyObject_CallMethodOneArg((PyObject *)self, s_set_attributes, given);
        if (done == NULL) {
            Py_DECREF(self);
            return NULL;
        }
        Py_DECREF(done);
    }
    return (PyObject *)self;
}

static PyObject *
random_id(PyObject *count)
{
    PyObject *found = PyObject_CallOneArg(constants[BITS], count);
    int some = found == NULL ? 1 : PyObject_IsTrue(found);
    if (some < 0) {
        Py_CLEAR(found);
    }
    else if (!some) {
        Py_SETREF(found, PyLong_FromLong(1));
    }
    return found;
}

static PyObject *
child_ids(PyObject *above)
{
    PyObject *span_id = random_id(s_64);
    if (span_id == NULL) {
        return NULL;
    }
    PyObject *ids
        = PyTuple_Pack(6, PyTuple_GET_ITEM(above, 0), span_id, Py_False, PyTuple_GET_ITEM(above, 3), PyTuple_GET_ITEM(above, 4), Py_True);
    Py_DECREF(span_id);
    return ids;
}

static int
is_set_up(void)
{
    if (constants[SPAN] == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "set_up was not called");
    }
    return constants[SPAN] != NULL;
}

static int
are_ids(PyObject *object)
{
    return PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 6;
}

/* record(origin, name, ids, above, kind, attributes): a span that starts now; ``ids``: its own, or None for random ones of a child. */
static PyObject *
record(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 6 || Py_TYPE(args[0]) != &OriginType || !(args[2] == Py_None ? are_ids(args[3]) : are_ids(args[2]))
        || !(args[3] == Py_None || are_ids(args[3])) || !is_set_up()) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "record takes an origin, name, ids, the parent's ids, kind and attributes");
        }
        return NULL;
    }
    PyObject *ids = args[2] == Py_None ? child_ids(args[3]) : Py_NewRef(args[2]);
    return ids == NULL ? NULL : made(args[0], args[1], ids, args[3], args[4], args[5], NULL);
}

/* The first span of a new trace, or where that is not sampled its ids. ``decision``: threshold, further attributes and trace state of the
 * sampled; ``otherwise``: flags of traces that are not sampled and of those that are, and the trace state of the former. */
static PyObject *
first_span(PyObject *origin, PyObject *name, PyObject *kind, PyObject *attributes, PyObject *decision, PyObject *otherwise)
{
    if (!PyTuple_Check(decision) || PyTuple_GET_SIZE(decision) != 3 || !PyDict_Check(PyTuple_GET_ITEM(decision, 1))
        || !PyTuple_Check(otherwise) || PyTuple_GET_SIZE(otherwise) != 3) {
        PyErr_SetString(PyExc_TypeError, "a decision is a threshold, attributes and a trace state");
        return NULL;
    }
    PyObject *trace_id = random_id(s_128), *span_id = trace_id == NULL ? NULL : random_id(s_64), *ids = NULL, *result = NULL;
    unsigned long long threshold = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(decision, 0));
    unsigned long long randomness = PyErr_Occurred() || span_id == NULL ? 0 : PyLong_AsUnsignedLongLongMask(trace_id) & RANDOMNESS;
    if (span_id != NULL && !PyErr_Occurred()) {
        int sampled = randomness >= threshold;
        PyObject *state = PyTuple_GET_ITEM(sampled ? decision : otherwise, 2);
        ids = PyTuple_Pack(6, trace_id, span_id, Py_False, PyTuple_GET_ITEM(otherwise, sampled), state, Py_True);
        if (ids != NULL && sampled) {
            result = made(origin, name, ids, Py_None, kind, attributes, PyTuple_GET_ITEM(decision, 1));
            ids = NULL;
        }
    }
    Py_XDECREF(trace_id);
    Py_XDECREF(span_id);
    return result != NULL ? result : ids;
}

/* root(origin, name, kind, attributes, decision, otherwise) */
static PyObject *
root(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 6 || Py_TYPE(args[0]) != &OriginType || !is_set_up()) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "root takes an origin, name, kind, attributes, a decision and flags");
        }
        return NULL;
    }
    return first_span(args[0], args[1], args[2], args[3], args[4], args[5]);
}
