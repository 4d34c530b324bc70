/* TracerCore: how a span starts and how it is carried on, in the plain cases. A method in Python does what is not plain. */

typedef struct {
    PyObject_HEAD
    PyObject *origin;    /* an Origin */
    PyObject *decide;    /* says from the name alone which new traces are sampled; None where more must be asked */
    PyObject *otherwise; /* flags of traces that are not sampled and of those that are, and the trace state of the former */
    char plain_ids;      /* ids are random bits, given by constants[BITS] */
} TracerCore;

static int
tracer_traverse(TracerCore *self, visitproc visit, void *arg)
{
    Py_VISIT(self->origin);
    Py_VISIT(self->decide);
    Py_VISIT(self->otherwise);
    return 0;
}

static int
tracer_clear(TracerCore *self)
{
    Py_CLEAR(self->origin);
    Py_CLEAR(self->decide);
    Py_CLEAR(self->otherwise);
    return 0;
}

static void
tracer_dealloc(TracerCore *self)
{
    PyObject_GC_UnTrack(self);
    tracer_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Whether the SDK has a tracer enabled; -1 with an exception. */
static int
enabled(TracerCore *self)
{
    PyObject *config = PyObject_GetAttr(((Origin *)self->origin)->tracer, s_tracer_config);
    PyObject *found = config == NULL ? NULL : PyObject_GetAttr(config, s_is_enabled);
    Py_XDECREF(config);
    Py_XDECREF(found);
    return found == NULL ? -1 : found == Py_True;
}

/* The pipeline, held, where a span that starts is to be counted and nothing else; NULL without an exception else. */
static Pipeline *
direct_pipeline(TracerCore *self)
{
    if (!self->plain_ids || self->origin == NULL || Py_TYPE(self->origin) != &OriginType || constants[SPAN] == NULL
        || constants[VARIABLE] == Py_None || enabled(self) <= 0) {
        return NULL;
    }
    Pipeline *pipeline = pipeline_of(self->origin);
    if (pipeline->direct == NULL || pipeline->direct == Py_None || pipeline->count_start == NULL) {
        Py_DECREF(pipeline);
        return NULL;
    }
    return pipeline;
}

/* A span that started, counted; takes it over, also where that fails. */
static PyObject *
counted(Pipeline *pipeline, PyObject *span)
{
    PyObject *count = span == NULL ? NULL : Py_NewRef(pipeline->count_start);
    PyObject *done = count == NULL ? NULL : PyObject_CallNoArgs(count);
    Py_XDECREF(count);
    Py_XDECREF(done);
    if (done == NULL) {
        Py_CLEAR(span);
    }
    return span;
}

/* A context with the entries of another, and this span. */
static PyObject *
context_with(PyObject *context, PyObject *span)
{
    PyObject *none = PyTuple_New(0);
    PyObject *found = none == NULL ? NULL : PyDict_Type.tp_new((PyTypeObject *)constants[CONTEXT], none, NULL);
    Py_XDECREF(none);
    if (found != NULL
        && ((PyDict_GET_SIZE(context) && PyDict_Update(found, context) < 0) || PyDict_SetItem(found, constants[SPAN_KEY], span) < 0)) {
        Py_CLEAR(found);
    }
    return found;
}

/* The current context, held; NULL without an exception where it is no dictionary. */
static PyObject *
current_context(void)
{
    PyObject *context = NULL;
    if (PyContextVar_Get(constants[VARIABLE], NULL, &context) == 0 && context != NULL && !PyDict_Check(context)) {
        Py_CLEAR(context);
    }
    return context;
}

/* Whether objects in circles are collected while a context variable changes: Python 3.11 collects in the middle of an allocation, and a
 * finalizer that sets the same variable then frees what PyContextVar_Set still reads. Later releases collect between instructions. */
#if PY_VERSION_HEX < 0x030C0000
#define WITHOUT_COLLECTION(statement)      \
    do {                                   \
        int collecting = PyGC_Disable();   \
        statement;                         \
        if (collecting) { PyGC_Enable(); } \
    } while (0)
#else
#define WITHOUT_COLLECTION(statement) statement
#endif

/* Make a context the current one; the token that takes it back. What was current lives as long as the token. */
static PyObject *
attach(PyObject *context)
{
    PyObject *token;
    WITHOUT_COLLECTION(token = PyContextVar_Set(constants[VARIABLE], context));
    return token;
}

static PyObject *
ask_python(TracerCore *self, PyObject *method, PyObject *const *args, Py_ssize_t given)
{
    PyObject *slow = PyObject_GetAttr((PyObject *)self, method);
    PyObject *result = slow == NULL ? NULL : PyObject_Vectorcall(slow, args, given, NULL);
    Py_XDECREF(slow);
    return result;
}

/* start_child(name, kind, attributes): a child of the current span, made the current one; it and the token that ends this. */
static PyObject *
tracer_start_child(TracerCore *self, PyObject *const *args, Py_ssize_t given)
{
    Pipeline *pipeline = given == 3 ? direct_pipeline(self) : NULL;
    PyObject *before = pipeline == NULL ? NULL : current_context();
    PyObject *above = before == NULL ? NULL : PyDict_GetItemWithError(before, constants[SPAN_KEY]);
    PyObject *result = NULL;
    int plain = above != NULL && (PyObject *)Py_TYPE(above) == constants[SPAN] && are_ids(((SpanCore *)above)->ids);
    if (plain) {
        PyObject *parent = ((SpanCore *)above)->ids, *ids = child_ids(parent);
        PyObject *span = ids == NULL ? NULL : counted(pipeline, made(self->origin, args[0], ids, parent, args[1], args[2], NULL));
        PyObject *active = span == NULL ? NULL : context_with(before, span);
        PyObject *token = active == NULL ? NULL : attach(active);
        result = token == NULL ? NULL : PyTuple_Pack(2, span, token);
        Py_XDECREF(token);
        Py_XDECREF(span);
        Py_XDECREF(active);
    }
    Py_XDECREF(pipeline);
    Py_XDECREF(before);
    return plain || PyErr_Occurred() ? result : ask_python(self, s_slow_child, args, given);
}

/* The first span of a trace, or its ids where it is not sampled, where the operation's name decides. NULL without an exception else. */
static PyObject *
decided(TracerCore *self, PyObject *name, PyObject *attributes)
{
    if (self->decide == NULL || self->decide == Py_None || self->otherwise == NULL) {
        return NULL;
    }
    PyObject *decide = Py_NewRef(self->decide), *otherwise = Py_NewRef(self->otherwise);
    PyObject *decision = PyObject_CallOneArg(decide, name), *found = NULL;
    if (decision != NULL) {
        found = first_span(self->origin, name, constants[SERVER], attributes, decision, otherwise);
    }
    Py_DECREF(decide);
    Py_DECREF(otherwise);
    Py_XDECREF(decision);
    return found;
}

/* The span of a request with plain headers that arrives where no span is current. NULL without an exception else. */
static PyObject *
server_span(TracerCore *self, Pipeline *pipeline, PyObject *name, PyObject *headers, PyObject *attributes)
{
    PyObject *propagator = PyObject_CallNoArgs(constants[GET_TEXTMAP]);
    int own = propagator != NULL && (PyObject *)Py_TYPE(propagator) == constants[PROPAGATOR];
    Py_XDECREF(propagator);
    PyObject *above = own ? ids_of_caller(headers) : NULL, *found = NULL;
    if (above == Py_None) {
        found = decided(self, name, attributes);
    }
    else if (above != NULL && above != Py_False) {
        if (PyLong_AsLong(PyTuple_GET_ITEM(above, 3)) & 1) {
            PyObject *ids = child_ids(above);
            found = ids == NULL ? NULL : made(self->origin, name, ids, above, constants[SERVER], attributes, NULL);
        }
        else {
            found = Py_NewRef(above);
        }
    }
    Py_XDECREF(above);
    if (found == NULL || !PyTuple_Check(found)) {
        return found == NULL ? NULL : counted(pipeline, found);
    }
    /* Not sampled: there is nothing but its ids. */
    PyObject *fields = PyTuple_Pack(1, found);
    PyObject *context = fields == NULL ? NULL : PyTuple_Type.tp_new((PyTypeObject *)constants[SPAN_CONTEXT], fields, NULL);
    Py_XDECREF(fields);
    Py_SETREF(found, context == NULL ? NULL : PyObject_CallOneArg(constants[NON_RECORDING], context));
    Py_XDECREF(context);
    return found;
}

/* start_server_span(name, headers, attributes): the span of a request that arrives, and the context in which it is to become current. */
static PyObject *
tracer_start_server_span(TracerCore *self, PyObject *const *args, Py_ssize_t given)
{
    Pipeline *pipeline = given == 3 ? direct_pipeline(self) : NULL;
    PyObject *before = pipeline == NULL ? NULL : current_context(), *span = NULL, *active = NULL, *result = NULL;
    if (before != NULL && PyDict_Contains(before, constants[SPAN_KEY]) == 0) {
        span = server_span(self, pipeline, args[0], args[1], args[2]);
        active = span == NULL ? NULL : context_with(before, span);
        result = active == NULL ? NULL : PyTuple_Pack(2, span, active);
    }
    Py_XDECREF(pipeline);
    Py_XDECREF(before);
    Py_XDECREF(span);
    Py_XDECREF(active);
    return result != NULL || PyErr_Occurred() ? result : ask_python(self, s_slow_server, args, given);
}

/* inject(carrier, to): write the headers of the current context into a dictionary. */
static PyObject *
tracer_inject(TracerCore *self, PyObject *const *args, Py_ssize_t given)
{
    int set_up = given == 2 && constants[SPAN] != NULL && constants[VARIABLE] != Py_None && PyDict_CheckExact(args[0]);
    PyObject *context = set_up ? current_context() : NULL;
    PyObject *span = context == NULL ? NULL : PyDict_GetItemWithError(context, constants[SPAN_KEY]);
    int plain = 0, done = -1;
    if (span != NULL && (PyObject *)Py_TYPE(span) == constants[SPAN] && PyDict_Contains(context, constants[BAGGAGE_KEY]) == 0) {
        PyObject *propagator = PyObject_CallNoArgs(constants[GET_TEXTMAP]), *ids = ((SpanCore *)span)->ids;
        plain = propagator != NULL && (PyObject *)Py_TYPE(propagator) == constants[PROPAGATOR] && ids != NULL && are_ids(ids)
            && PyTuple_GET_ITEM(ids, 5) == Py_True;
        Py_XDECREF(propagator);
        done = plain ? put_headers(args[0], ids) : -1;
    }
    Py_XDECREF(context);
    if (plain || PyErr_Occurred()) {
        return done < 0 ? NULL : Py_NewRef(Py_None);
    }
    return ask_python(self, s_slow_inject, args, given);
}

/* attach(context): make it the current one; the token that ends this. */
static PyObject *
tracer_attach(TracerCore *self, PyObject *context)
{
    return constants[SPAN] != NULL && constants[VARIABLE] != Py_None ? attach(context) : ask_python(self, s_slow_attach, &context, 1);
}

/* leave(token): make the context current that was before. Where it cannot be, the SDK says so and leaves all as it is. */
static PyObject *
tracer_leave(TracerCore *self, PyObject *token)
{
    if (constants[SPAN] != NULL && constants[VARIABLE] != Py_None && PyContextToken_CheckExact(token)) {
        PyObject *active = current_context(); /* held, as its end may run other code */
        int done;
        WITHOUT_COLLECTION(done = PyContextVar_Reset(constants[VARIABLE], token));
        Py_XDECREF(active);
        if (done == 0) {
            Py_RETURN_NONE;
        }
        if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_RuntimeError)) {
            return NULL;
        }
        PyErr_Clear();
    }
    return ask_python(self, s_slow_leave, &token, 1);
}

static int
tracer_set_origin(TracerCore *self, PyObject *value, void *Py_UNUSED(closure))
{
    if (value == NULL || Py_TYPE(value) != &OriginType) {
        PyErr_SetString(PyExc_TypeError, "a tracer has an Origin");
        return -1;
    }
    Py_XSETREF(self->origin, Py_NewRef(value));
    return 0;
}

static PyObject *
tracer_get_origin(TracerCore *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->origin == NULL ? Py_None : self->origin);
}

static PyGetSetDef tracer_getset[] = {
    {"_origin", (getter)tracer_get_origin, (setter)tracer_set_origin, NULL, NULL},
    {NULL},
};

static PyMemberDef tracer_members[] = {
    {"_decide", T_OBJECT_EX, offsetof(TracerCore, decide), 0, NULL},
    {"_otherwise", T_OBJECT_EX, offsetof(TracerCore, otherwise), 0, NULL},
    {"_plain_ids", T_BOOL, offsetof(TracerCore, plain_ids), 0, NULL},
    {NULL},
};

static PyMethodDef tracer_methods[] = {
    {"start_child", (PyCFunction)(void (*)(void))tracer_start_child, METH_FASTCALL, NULL},
    {"start_server_span", (PyCFunction)(void (*)(void))tracer_start_server_span, METH_FASTCALL, NULL},
    {"inject", (PyCFunction)(void (*)(void))tracer_inject, METH_FASTCALL, NULL},
    {"attach", (PyCFunction)tracer_attach, METH_O, NULL},
    {"leave", (PyCFunction)tracer_leave, METH_O, NULL},
    {NULL},
};

static PyTypeObject TracerCoreType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib.fast._native.TracerCore",
    .tp_basicsize = sizeof(TracerCore),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)tracer_dealloc,
    .tp_traverse = (traverseproc)tracer_traverse,
    .tp_clear = (inquiry)tracer_clear,
    .tp_methods = tracer_methods,
    .tp_members = tracer_members,
    .tp_getset = tracer_getset,
};

/* Whether a constant is what C relies on it to be. */
static int
fits(int place, PyObject *value)
{
    switch (place) {
    case VARIABLE:
        return value == Py_None || PyContextVar_CheckExact(value);
    case CONTEXT:
        return PyType_Check(value) && PyType_IsSubtype((PyTypeObject *)value, &PyDict_Type);
    case SPAN_CONTEXT:
        return PyType_Check(value) && PyType_IsSubtype((PyTypeObject *)value, &PyTuple_Type);
    case SPAN:
        return PyType_Check(value) && PyType_IsSubtype((PyTypeObject *)value, &SpanCoreType);
    case FLAGS:
        return PyTuple_Check(value) && PyTuple_GET_SIZE(value) == 4;
    case STATES:
        return PyDict_CheckExact(value);
    default:
        return 1;
    }
}

/* set_up(...): the constants, in the order of names.h. Once: spans that were made rely on them. */
static PyObject *
set_up(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    int right = given == CONSTANTS && constants[SPAN] == NULL;
    for (int at = 0; right && at < CONSTANTS; at++) {
        right = fits(at, args[at]);
    }
    if (!right) {
        PyErr_SetString(PyExc_TypeError, "set_up takes the constants in the order of names.h, once");
        return NULL;
    }
    for (int at = 0; at < CONSTANTS; at++) {
        constants[at] = Py_NewRef(args[at]);
    }
    Py_RETURN_NONE;
}

/* with_span(context, span) */
static PyObject *
with_span(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 2 || !PyDict_Check(args[0]) || !is_set_up()) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "with_span takes a context and a span");
        }
        return NULL;
    }
    return context_with(args[0], args[1]);
}
