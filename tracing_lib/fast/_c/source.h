/* SourceCore: the tracer of one instrumented scope, the same as long as the provider is. */

typedef struct {
    PyObject_HEAD
    PyObject *globals;
    PyObject *key;
    PyObject *provider;
    PyObject *tracer;
    PyObject *home;
    PyObject *looked_at;
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
    Py_VISIT(self->looked_at);
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
    Py_CLEAR(self->looked_at);
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
    .tp_name = "tracing_lib.fast._native.SourceCore",
    .tp_basicsize = sizeof(SourceCore),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)source_dealloc,
    .tp_traverse = (traverseproc)source_traverse,
    .tp_clear = (inquiry)source_clear,
    .tp_methods = source_methods,
    .tp_members = source_members,
};
