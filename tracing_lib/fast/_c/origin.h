/* What spans have in common: Pipeline for those of one provider, Origin for those of one tracer. */

typedef struct {
    PyObject_HEAD
    PyObject *processor;   /* of the provider: takes what `direct` does not */
    PyObject *direct;      /* the export processor where it is the only one, else None */
    PyObject *count_start; /* counts a span that starts, where `direct` is not None */
} Pipeline;

static int
pipeline_traverse(Pipeline *self, visitproc visit, void *arg)
{
    Py_VISIT(self->processor);
    Py_VISIT(self->direct);
    Py_VISIT(self->count_start);
    return 0;
}

static int
pipeline_clear(Pipeline *self)
{
    Py_CLEAR(self->processor);
    Py_CLEAR(self->direct);
    Py_CLEAR(self->count_start);
    return 0;
}

static void
pipeline_dealloc(Pipeline *self)
{
    PyObject_GC_UnTrack(self);
    pipeline_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef pipeline_members[] = {
    {"processor", T_OBJECT, offsetof(Pipeline, processor), 0, NULL},
    {"direct", T_OBJECT, offsetof(Pipeline, direct), 0, NULL},
    {"count_start", T_OBJECT, offsetof(Pipeline, count_start), 0, NULL},
    {NULL},
};

static PyTypeObject PipelineType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib.fast._native.Pipeline",
    .tp_basicsize = sizeof(Pipeline),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)pipeline_dealloc,
    .tp_traverse = (traverseproc)pipeline_traverse,
    .tp_clear = (inquiry)pipeline_clear,
    .tp_members = pipeline_members,
};

typedef struct {
    PyObject_HEAD
    PyObject *tracer;   /* the SDK's; of spans that began before a fork a copy of it as it was then */
    PyObject *pipeline; /* a Pipeline */
    Py_ssize_t room;    /* attributes that a span may have; 0 where their length is limited, which the SDK sees to */
} Origin;

static int
origin_traverse(Origin *self, visitproc visit, void *arg)
{
    Py_VISIT(self->tracer);
    Py_VISIT(self->pipeline);
    return 0;
}

static int
origin_clear(Origin *self)
{
    Py_CLEAR(self->tracer);
    Py_CLEAR(self->pipeline);
    return 0;
}

static void
origin_dealloc(Origin *self)
{
    PyObject_GC_UnTrack(self);
    origin_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
origin_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    static char *names[] = {"tracer", "pipeline", "room", NULL};
    PyObject *tracer, *pipeline;
    Py_ssize_t room;
    if (!PyArg_ParseTupleAndKeywords(args, named, "OO!n:Origin", names, &tracer, &PipelineType, &pipeline, &room)) {
        return NULL;
    }
    Origin *self = (Origin *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->tracer = Py_NewRef(tracer);
        self->pipeline = Py_NewRef(pipeline);
        self->room = room;
    }
    return (PyObject *)self;
}

static PyMemberDef origin_members[] = {
    {"tracer", T_OBJECT_EX, offsetof(Origin, tracer), 0, NULL},
    {"pipeline", T_OBJECT_EX, offsetof(Origin, pipeline), READONLY, NULL},
    {"room", T_PYSSIZET, offsetof(Origin, room), READONLY, NULL},
    {NULL},
};

static PyTypeObject OriginType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib.fast._native.Origin",
    .tp_basicsize = sizeof(Origin),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = origin_new,
    .tp_dealloc = (destructor)origin_dealloc,
    .tp_traverse = (traverseproc)origin_traverse,
    .tp_clear = (inquiry)origin_clear,
    .tp_members = origin_members,
};

/* The pipeline of spans, held. */
static Pipeline *
pipeline_of(PyObject *origin)
{
    return (Pipeline *)Py_NewRef(((Origin *)origin)->pipeline);
}
