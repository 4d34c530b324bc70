/* ExchangeCore: an HTTP request that is being served, until its answer begins; exchanges.py in C. */

typedef struct {
    PyObject_HEAD
    PyObject *scope;
    PyObject *receive;
    PyObject *send;
    PyObject *root_path;
    PyObject *path;
    PyObject *span;
    PyObject *active;
    PyObject *status;
    char option;
    char ended;
    char gone;
    char trailers;
} ExchangeCore;

static int
exchange_traverse(ExchangeCore *self, visitproc visit, void *arg)
{
    Py_VISIT(self->scope);
    Py_VISIT(self->receive);
    Py_VISIT(self->send);
    Py_VISIT(self->root_path);
    Py_VISIT(self->path);
    Py_VISIT(self->span);
    Py_VISIT(self->active);
    Py_VISIT(self->status);
    return 0;
}

static int
exchange_clear(ExchangeCore *self)
{
    Py_CLEAR(self->scope);
    Py_CLEAR(self->receive);
    Py_CLEAR(self->send);
    Py_CLEAR(self->root_path);
    Py_CLEAR(self->path);
    Py_CLEAR(self->span);
    Py_CLEAR(self->active);
    Py_CLEAR(self->status);
    return 0;
}

static void
exchange_dealloc(ExchangeCore *self)
{
    PyObject_GC_UnTrack(self);
    exchange_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* mapping.get(key, otherwise) */
static PyObject *
entry(PyObject *mapping, PyObject *key, PyObject *otherwise)
{
    if (!PyDict_CheckExact(mapping)) {
        return PyObject_CallMethodObjArgs(mapping, s_get, key, otherwise, NULL);
    }
    PyObject *found = PyDict_GetItemWithError(mapping, key);
    return found != NULL ? Py_NewRef(found) : PyErr_Occurred() ? NULL : Py_NewRef(otherwise);
}

/* Name the trace in an answer's headers. -1 with an exception. */
static int
name_trace(ExchangeCore *self, PyObject *message)
{
    char text[TRACEPARENT];
    PyObject *span = self->span == NULL ? Py_None : self->span;
    PyObject *ids = PyObject_TypeCheck(span, &SpanCoreType) ? Py_XNewRef(((SpanCore *)span)->ids) : NULL;
    if (ids == NULL) {
        ids = PyObject_CallMethodNoArgs(span, s_get_span_context);
    }
    int done = ids == NULL ? -1 : write_traceparent(ids, text);
    Py_XDECREF(ids);
    PyObject *value = done < 0 ? NULL : PyBytes_FromStringAndSize(text, TRACEPARENT);
    PyObject *pair = value == NULL ? NULL : PyTuple_Pack(2, s_traceresponse, value);
    PyObject *given = pair == NULL ? NULL : entry(message, s_headers, s_no_headers);
    PyObject *headers = given == NULL ? NULL : PySequence_List(given);
    done = headers == NULL || PyList_Append(headers, pair) < 0 ? -1 : PyObject_SetItem(message, s_headers, headers);
    Py_XDECREF(value);
    Py_XDECREF(pair);
    Py_XDECREF(given);
    Py_XDECREF(headers);
    return done;
}

static PyObject *
exchange_send(ExchangeCore *self, PyObject *message)
{
    PyObject *kind = PyObject_GetItem(message, s_type);
    int first = kind == NULL ? -1 : PyObject_RichCompareBool(kind, s_response_start, Py_EQ);
    Py_XDECREF(kind);
    if (first <= 0) {
        return first < 0 ? NULL : PyObject_CallMethodOneArg((PyObject *)self, s_send_more, message);
    }
    PyObject *status = PyObject_GetItem(message, s_status);
    if (status == NULL) {
        return NULL;
    }
    Py_XSETREF(self->status, status);
    PyObject *trailers = entry(message, s_trailers, Py_None);
    int more = trailers == NULL ? -1 : PyObject_IsTrue(trailers);
    Py_XDECREF(trailers);
    if (more < 0 || (self->option && name_trace(self, message) < 0)) {
        return NULL;
    }
    self->trailers = (char)more;
    if (self->send == NULL) {
        PyErr_SetString(PyExc_AttributeError, "_send");
        return NULL;
    }
    PyObject *send = Py_NewRef(self->send), *sending = PyObject_CallOneArg(send, message);
    Py_DECREF(send);
    return sending;
}

static PyMemberDef exchange_members[] = {
    {"scope", T_OBJECT_EX, offsetof(ExchangeCore, scope), 0, NULL},
    {"_receive", T_OBJECT_EX, offsetof(ExchangeCore, receive), 0, NULL},
    {"_send", T_OBJECT_EX, offsetof(ExchangeCore, send), 0, NULL},
    {"root_path", T_OBJECT_EX, offsetof(ExchangeCore, root_path), 0, NULL},
    {"path", T_OBJECT_EX, offsetof(ExchangeCore, path), 0, NULL},
    {"span", T_OBJECT_EX, offsetof(ExchangeCore, span), 0, NULL},
    {"active", T_OBJECT_EX, offsetof(ExchangeCore, active), 0, NULL},
    {"_status", T_OBJECT, offsetof(ExchangeCore, status), 0, NULL},
    {"_option", T_BOOL, offsetof(ExchangeCore, option), 0, NULL},
    {"ended", T_BOOL, offsetof(ExchangeCore, ended), 0, NULL},
    {"_gone", T_BOOL, offsetof(ExchangeCore, gone), 0, NULL},
    {"_trailers", T_BOOL, offsetof(ExchangeCore, trailers), 0, NULL},
    {NULL},
};

static PyMethodDef exchange_methods[] = {
    {"send", (PyCFunction)exchange_send, METH_O, NULL},
    {NULL},
};

static PyTypeObject ExchangeCoreType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib.fast._native.ExchangeCore",
    .tp_basicsize = sizeof(ExchangeCore),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)exchange_dealloc,
    .tp_traverse = (traverseproc)exchange_traverse,
    .tp_clear = (inquiry)exchange_clear,
    .tp_methods = exchange_methods,
    .tp_members = exchange_members,
};

/* What the spans of such requests begin with: name and attributes; None where that is not known yet. */
static PyObject *
beginning(PyObject *known, PyObject *scope)
{
    PyObject *keys[] = {s_method, s_type, s_scheme, s_http_version, s_server}, *same = PyTuple_New(5), *found = NULL;
    for (int at = 0; same != NULL && at < 5; at++) {
        PyObject *value = entry(scope, keys[at], at ? Py_None : s_GET);
        if (value != NULL && at == 4 && PyList_CheckExact(value)) {
            Py_SETREF(value, PyList_AsTuple(value));
        }
        if (value == NULL) {
            Py_CLEAR(same);
        }
        else {
            PyTuple_SET_ITEM(same, at, value);
        }
    }
    if (same != NULL) {
        found = PyDict_GetItemWithError(known, same);
        Py_DECREF(same);
    }
    return found != NULL && PyTuple_Check(found) && PyTuple_GET_SIZE(found) == 2 ? Py_NewRef(found)
        : PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* exchange(class, source, context, known, scope, receive, send, option): a request whose span has started, or None where it takes more. */
static PyObject *
exchange(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 8 || !PyType_Check(args[0]) || !PyType_IsSubtype((PyTypeObject *)args[0], &ExchangeCoreType)
        || !PyObject_TypeCheck(args[1], &SourceCoreType) || !PyDict_Check(args[2]) || !PyDict_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "exchange takes a class, a source, a context, what is known, a scope, receive, send and an option");
        return NULL;
    }
    PyObject *scope = args[4], *self = NULL;
    PyObject *start = PyDict_CheckExact(scope) ? beginning(args[3], scope) : Py_NewRef(Py_None);
    PyObject *headers = start == NULL || start == Py_None ? NULL : entry(scope, s_headers, Py_None);
    PyObject *entered = NULL, *root_path = NULL, *path = NULL;
    if (headers != NULL) {
        int some = PyObject_IsTrue(headers);
        PyObject *pairs = some > 0 ? headers : s_no_headers;
        PyObject *serving[] = {args[1], args[2], PyTuple_GET_ITEM(start, 0), PyTuple_GET_ITEM(start, 1), pairs, Py_None};
        entered = some < 0 ? NULL : serve(NULL, serving, 6);
        root_path = entered == NULL || entered == Py_None ? NULL : entry(scope, s_root_path, s_empty);
        path = root_path == NULL ? NULL : entry(scope, s_path, s_empty);
    }
    int option = path == NULL ? -1 : PyObject_IsTrue(args[7]);
    if (option >= 0) {
        ExchangeCore *made = (ExchangeCore *)((PyTypeObject *)args[0])->tp_alloc((PyTypeObject *)args[0], 0);
        if (made != NULL) {
            made->scope = Py_NewRef(scope);
            made->receive = Py_NewRef(args[5]);
            made->send = Py_NewRef(args[6]);
            made->root_path = Py_NewRef(root_path);
            made->path = Py_NewRef(path);
            made->span = Py_NewRef(PyTuple_GET_ITEM(entered, 0));
            made->active = Py_NewRef(PyTuple_GET_ITEM(entered, 1));
            made->option = (char)option;
            self = (PyObject *)made;
        }
    }
    Py_XDECREF(start);
    Py_XDECREF(headers);
    Py_XDECREF(entered);
    Py_XDECREF(root_path);
    Py_XDECREF(path);
    return self != NULL || PyErr_Occurred() ? self : Py_NewRef(Py_None);
}
