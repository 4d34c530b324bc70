/* The headers that carry a span to who is called, as pairs, and as metadata that is made once and mostly read once. */

/* carried(source, span, context): the pairs, or None where it takes more. ``context``: the current one. */
static PyObject *
carried(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 3 || !PyObject_TypeCheck(args[0], &SourceCoreType) || !PyDict_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "carried takes a source, a span and a context");
        return NULL;
    }
    PyObject *home = home_of((SourceCore *)args[0]);
    if (home == NULL || (PyObject *)Py_TYPE(args[1]) != HOME(SPAN)) {
        Py_XDECREF(home);
        Py_RETURN_NONE;
    }
    PyObject *propagator = PyDict_GetItemWithError(HOME(TEXTMAPS), HOME(TEXTMAP));
    int own = propagator != NULL && (PyObject *)Py_TYPE(propagator) == HOME(PROPAGATOR);
    int luggage = own ? PyDict_Contains(args[2], HOME(BAGGAGE_KEY)) : 1;
    PyObject *ids = ((SpanCore *)args[1])->ids, *known = NULL, *pair = NULL, *found = NULL;
    if (luggage || ids == NULL || !PyTuple_Check(ids) || PyTuple_GET_SIZE(ids) < 6 || PyTuple_GET_ITEM(ids, 5) != Py_True) {
        goto done;
    }
    Py_INCREF(ids);
    known = PyObject_GetAttr(propagator, s_known_state);
    if (known == NULL || !PyTuple_Check(known) || PyTuple_GET_SIZE(known) != 2 || !PyTuple_Check(PyTuple_GET_ITEM(known, 1))) {
        ;
    }
    else if (PyTuple_GET_ITEM(known, 0) != PyTuple_GET_ITEM(ids, 4)) {
        found = PyObject_CallMethodOneArg(propagator, s_headers, ids);
    }
    else {
        PyObject *parent = traceparent(NULL, ids);
        pair = parent == NULL ? NULL : PyTuple_Pack(2, s_traceparent, parent);
        Py_XDECREF(parent);
        Py_ssize_t more = PyTuple_GET_SIZE(PyTuple_GET_ITEM(known, 1));
        found = pair == NULL ? NULL : PyTuple_New(1 + more);
        if (found != NULL) {
            PyTuple_SET_ITEM(found, 0, Py_NewRef(pair));
            for (Py_ssize_t at = 0; at < more; at++) {
                PyTuple_SET_ITEM(found, at + 1, Py_NewRef(PyTuple_GET_ITEM(PyTuple_GET_ITEM(known, 1), at)));
            }
        }
    }
    Py_XDECREF(known);
    Py_XDECREF(pair);
    Py_DECREF(ids);
done:
    Py_DECREF(home);
    return found != NULL || PyErr_Occurred() ? found : Py_NewRef(Py_None);
}

typedef struct {
    PyObject_HEAD
    PyObject *pairs;
} PairsCore;

static int
pairs_traverse(PairsCore *self, visitproc visit, void *arg)
{
    Py_VISIT(self->pairs);
    return 0;
}

static int
pairs_clear(PairsCore *self)
{
    Py_CLEAR(self->pairs);
    return 0;
}

static void
pairs_dealloc(PairsCore *self)
{
    PyObject_GC_UnTrack(self);
    pairs_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* The pairs, or once somebody asked for more than these what took them over. */
static PyObject *
pairs_held(PairsCore *self)
{
    int held = self->pairs != NULL && self->pairs != Py_None;
    return held ? Py_NewRef(self->pairs) : PyObject_GetAttr((PyObject *)self, s_changeable);
}

static Py_ssize_t
pairs_length(PairsCore *self)
{
    PyObject *held = pairs_held(self);
    Py_ssize_t length = held == NULL ? -1 : PyObject_Size(held);
    Py_XDECREF(held);
    return length;
}

static PyObject *
pairs_iter(PairsCore *self)
{
    PyObject *held = pairs_held(self);
    PyObject *iterator = held == NULL ? NULL : PyObject_GetIter(held);
    Py_XDECREF(held);
    return iterator;
}

static PyMemberDef pairs_members[] = {
    {"pairs", T_OBJECT_EX, offsetof(PairsCore, pairs), 0, NULL},
    {NULL},
};

static PySequenceMethods pairs_sequence = {.sq_length = (lenfunc)pairs_length};

static PyTypeObject PairsCoreType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib.fast._native.PairsCore",
    .tp_basicsize = sizeof(PairsCore),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)pairs_dealloc,
    .tp_traverse = (traverseproc)pairs_traverse,
    .tp_clear = (inquiry)pairs_clear,
    .tp_iter = (getiterfunc)pairs_iter,
    .tp_as_sequence = &pairs_sequence,
    .tp_members = pairs_members,
};
