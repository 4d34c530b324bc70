/* Recording: what the spans of one tracer have in common, where C finds it without asking for attributes: each is some five cache lines. */

typedef struct {
    PyObject_HEAD
    PyObject *inner;
    PyObject *processor;
    PyObject *started;
    Py_ssize_t room;
    char stages;
} Recording;

static int
recording_traverse(Recording *self, visitproc visit, void *arg)
{
    Py_VISIT(self->inner);
    Py_VISIT(self->processor);
    Py_VISIT(self->started);
    return 0;
}

static int
recording_clear(Recording *self)
{
    Py_CLEAR(self->inner);
    Py_CLEAR(self->processor);
    Py_CLEAR(self->started);
    return 0;
}

static void
recording_dealloc(Recording *self)
{
    PyObject_GC_UnTrack(self);
    recording_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef recording_members[] = {
    {"inner", T_OBJECT_EX, offsetof(Recording, inner), 0, NULL},
    {"processor", T_OBJECT_EX, offsetof(Recording, processor), 0, NULL},
    {"started", T_OBJECT, offsetof(Recording, started), 0, NULL},
    {"room", T_PYSSIZET, offsetof(Recording, room), 0, NULL},
    {"stages", T_BOOL, offsetof(Recording, stages), 0, NULL},
    {NULL},
};

static PyTypeObject RecordingType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib.fast._native.Recording",
    .tp_basicsize = sizeof(Recording),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)recording_dealloc,
    .tp_traverse = (traverseproc)recording_traverse,
    .tp_clear = (inquiry)recording_clear,
    .tp_members = recording_members,
};

/* What stands for a recording may be of any class; these ask it for its attributes. */

static PyObject *
processor_of(PyObject *recording)
{
    PyObject *known = Py_TYPE(recording) == &RecordingType ? ((Recording *)recording)->processor : NULL;
    return known != NULL ? Py_NewRef(known) : PyObject_GetAttr(recording, s_processor);
}

static PyObject *
start_counter_of(PyObject *recording)
{
    PyObject *known = Py_TYPE(recording) == &RecordingType ? ((Recording *)recording)->started : NULL;
    return known != NULL ? Py_NewRef(known) : PyObject_GetAttr(recording, s_started);
}

/* -1 with an exception. */
static Py_ssize_t
room_of(PyObject *recording)
{
    if (Py_TYPE(recording) == &RecordingType) {
        return ((Recording *)recording)->room;
    }
    PyObject *room = PyObject_GetAttr(recording, s_room);
    Py_ssize_t found = room == NULL ? -1 : PyLong_AsSsize_t(room);
    Py_XDECREF(room);
    return found;
}

/* -1 with an exception. */
static int
stages_of(PyObject *recording)
{
    if (Py_TYPE(recording) == &RecordingType) {
        return ((Recording *)recording)->stages;
    }
    PyObject *stages = PyObject_GetAttr(recording, s_stages);
    Py_XDECREF(stages);
    return stages == NULL ? -1 : stages == Py_True;
}
