/* TracerCore and StageCore: what the short way to a span reads of a tracer and of a processor, where C finds it without asking. */

typedef struct {
    PyObject_HEAD
    PyObject *inner;
    PyObject *quick;
    PyObject *decide;
    PyObject *leases;
    PyObject *otherwise;
} TracerCore;

static int
tracer_traverse(TracerCore *self, visitproc visit, void *arg)
{
    Py_VISIT(self->inner);
    Py_VISIT(self->quick);
    Py_VISIT(self->decide);
    Py_VISIT(self->leases);
    Py_VISIT(self->otherwise);
    return 0;
}

static int
tracer_clear(TracerCore *self)
{
    Py_CLEAR(self->inner);
    Py_CLEAR(self->quick);
    Py_CLEAR(self->decide);
    Py_CLEAR(self->leases);
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

static PyMemberDef tracer_members[] = {
    {"inner", T_OBJECT_EX, offsetof(TracerCore, inner), 0, NULL},
    {"quick", T_OBJECT_EX, offsetof(TracerCore, quick), 0, NULL},
    {"decide", T_OBJECT_EX, offsetof(TracerCore, decide), 0, NULL},
    {"leases", T_OBJECT_EX, offsetof(TracerCore, leases), 0, NULL},
    {"otherwise", T_OBJECT_EX, offsetof(TracerCore, otherwise), 0, NULL},
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
    .tp_members = tracer_members,
};

typedef struct {
    PyObject_HEAD
    PyObject *stage;
    PyObject *others;
    Py_ssize_t quiet;
} StageCore;

static int
stage_traverse(StageCore *self, visitproc visit, void *arg)
{
    Py_VISIT(self->stage);
    Py_VISIT(self->others);
    return 0;
}

static int
stage_clear(StageCore *self)
{
    Py_CLEAR(self->stage);
    Py_CLEAR(self->others);
    return 0;
}

static void
stage_dealloc(StageCore *self)
{
    PyObject_GC_UnTrack(self);
    stage_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef stage_members[] = {
    {"stage", T_OBJECT_EX, offsetof(StageCore, stage), 0, NULL},
    {"_span_processors", T_OBJECT_EX, offsetof(StageCore, others), 0, NULL},
    {"quiet", T_PYSSIZET, offsetof(StageCore, quiet), 0, NULL},
    {NULL},
};

static PyTypeObject StageCoreType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib.fast._native.StageCore",
    .tp_basicsize = sizeof(StageCore),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)stage_dealloc,
    .tp_traverse = (traverseproc)stage_traverse,
    .tp_clear = (inquiry)stage_clear,
    .tp_members = stage_members,
};
