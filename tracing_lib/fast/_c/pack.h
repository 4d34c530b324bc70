/* PackCore: an ended span as the field of an OTLP message (opentelemetry/proto/trace/v1/trace.proto), joined from encoded parts.
 *
 * A method in Python redacts and encodes a part that comes for the first time; most parts come again. */

enum { MOST_PARTS = 128, FIXED_BYTES = 18 + 10 + 2 + 18 + 2 + 6, PARENT_BYTES = 10, KINDS = 5 };

typedef struct {
    PyObject_HEAD
    PyObject *kinds;
    PyObject *names;
    PyObject *texts;
    PyObject *integers;
    PyObject *floats;
    PyObject *state;
    PyObject *state_bytes;
} PackCore;

/* The parts of one span, held until they are joined. */
typedef struct {
    PyObject *parts[MOST_PARTS];
    int count;
    Py_ssize_t bytes;
} Parts;

static void
drop_parts(Parts *parts)
{
    for (int at = 0; at < parts->count; at++) {
        Py_DECREF(parts->parts[at]);
    }
}

/* Takes ``part`` over. */
static int
add_part(Parts *parts, PyObject *part)
{
    if (part == NULL) {
        return -1;
    }
    if (!PyBytes_CheckExact(part) || parts->count >= MOST_PARTS) {
        Py_DECREF(part);
        PyErr_SetString(PyExc_TypeError, "a part of a span is bytes");
        return -1;
    }
    parts->parts[parts->count++] = part;
    parts->bytes += PyBytes_GET_SIZE(part);
    return 0;
}

/* What is remembered under a key, held. NULL without an exception where it is not. */
static PyObject *
remembered(PyObject *memory, PyObject *key)
{
    PyObject *found = memory != NULL && PyDict_CheckExact(memory) ? PyDict_GetItemWithError(memory, key) : NULL;
    return Py_XNewRef(found);
}

/* Fields by key and value; by type too, as 1, 1.0 and True are equal. */
static PyObject *
memory_of(PackCore *self, PyObject *value)
{
    return PyUnicode_CheckExact(value) ? self->texts : PyLong_CheckExact(value) ? self->integers : PyFloat_CheckExact(value) ? self->floats : NULL;
}

static PyObject *
attribute_part(PackCore *self, PyObject *key, PyObject *value)
{
    PyObject *by_value = PyUnicode_CheckExact(key) ? remembered(memory_of(self, value), key) : NULL;
    PyObject *found = by_value == NULL ? NULL : remembered(by_value, value);
    Py_XDECREF(by_value);
    if (found != NULL || PyErr_Occurred()) {
        return found;
    }
    PyObject *arguments[] = {(PyObject *)self, key, value};
    return PyObject_VectorcallMethod(s_attribute_field, arguments, 3, NULL);
}

static PyObject *
name_part(PackCore *self, PyObject *name, PyObject *attributes)
{
    PyObject *found = PyUnicode_CheckExact(name) ? remembered(self->names, name) : NULL;
    if (found != NULL || PyErr_Occurred()) {
        return found;
    }
    PyObject *arguments[] = {(PyObject *)self, name, attributes};
    return PyObject_VectorcallMethod(s_name_field, arguments, 3, NULL);
}

static PyObject *
state_part(PackCore *self, SpanCore *span)
{
    if (PyTuple_GET_ITEM(span->ids, 4) == self->state && self->state_bytes != NULL) {
        return Py_NewRef(self->state_bytes);
    }
    return PyObject_CallMethodOneArg((PyObject *)self, s_state_field, (PyObject *)span);
}

/* Span.dropped_attributes_count, where there are any: less than 0x80, as a span has fewer parts. */
static int
add_dropped(Parts *parts, int dropped)
{
    char field[] = {0x50, (char)dropped};
    return dropped ? add_part(parts, PyBytes_FromStringAndSize(field, sizeof field)) : 0;
}

/* State, name, attributes and links. Name and attributes are held by the caller: what is called here may give the span others. */
static int
gather(PackCore *self, SpanCore *span, PyObject *name, PyObject *attributes, Parts *parts)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    int dropped = 0;
    if (add_part(parts, state_part(self, span)) < 0 || add_part(parts, name_part(self, name, attributes)) < 0) {
        return -1;
    }
    while (PyDict_Next(attributes, &at, &key, &value)) {
        PyObject *part = attribute_part(self, key, value);
        if (part == Py_None) {
            Py_DECREF(part);
            dropped++;
        }
        else if (add_part(parts, part) < 0) {
            return -1;
        }
    }
    if (add_dropped(parts, dropped) < 0) {
        return -1;
    }
    return span->plain_links == NULL ? 0 : add_part(parts, PyObject_CallMethodOneArg((PyObject *)self, s_link_fields, (PyObject *)span));
}

static char *
put_number(char *to, unsigned long long number, int bytes, int big)
{
    for (int at = 0; at < bytes; at++) {
        to[at] = (char)(number >> 8 * (big ? bytes - 1 - at : at));
    }
    return to + bytes;
}

static char *
put_tagged(char *to, const char *tag, unsigned long long number, int big)
{
    while (*tag) {
        *to++ = *tag++;
    }
    return put_number(to, number, 8, big);
}

static char *
put_part(char *to, PyObject *part)
{
    memcpy(to, PyBytes_AS_STRING(part), (size_t)PyBytes_GET_SIZE(part));
    return to + PyBytes_GET_SIZE(part);
}

typedef struct {
    unsigned long long high, low, span, parent, start, end;
    int has_parent, remote, kind;
} Numbers;

/* 1 where the span has them as they are to be written, 0 where not, -1 with an exception. */
static int
numbers_of(PackCore *self, SpanCore *span, Numbers *numbers)
{
    PyObject *kinds = self->kinds;
    numbers->kind = 0;
    for (int at = 0; kinds != NULL && PyTuple_Check(kinds) && PyTuple_GET_SIZE(kinds) == KINDS && at < KINDS; at++) {
        numbers->kind = PyTuple_GET_ITEM(kinds, at) == span->kind ? at + 1 : numbers->kind;
    }
    numbers->has_parent = span->above != Py_None;
    if (!numbers->kind || (numbers->has_parent && (!PyTuple_Check(span->above) || PyTuple_GET_SIZE(span->above) < 5))) {
        return 0;
    }
    numbers->span = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(span->ids, 1));
    numbers->start = PyLong_AsUnsignedLongLong(span->start_time);
    numbers->end = PyLong_AsUnsignedLongLong(span->end_time);
    if (numbers->has_parent) {
        numbers->parent = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(span->above, 1));
        numbers->remote = PyTuple_GET_ITEM(span->above, 2) == Py_True;
    }
    else {
        numbers->parent = numbers->remote = 0;
    }
    if (PyErr_Occurred() || halves(PyTuple_GET_ITEM(span->ids, 0), &numbers->high, &numbers->low) < 0) {
        return -1;
    }
    return numbers->start && numbers->end;
}

static void
write_span(char *to, Numbers *numbers, Parts *parts)
{
    to = put_number(put_tagged(to, "\x0a\x10", numbers->high, 1), numbers->low, 8, 1);
    to = put_tagged(to, "\x12\x08", numbers->span, 1);
    to = put_part(to, parts->parts[0]);
    if (numbers->has_parent) {
        to = put_tagged(to, "\x22\x08", numbers->parent, 1);
    }
    to = put_part(to, parts->parts[1]);
    *to++ = 0x30;
    *to++ = (char)numbers->kind;
    to = put_tagged(put_tagged(to, "\x39", numbers->start, 0), "\x41", numbers->end, 0);
    for (int at = 2; at < parts->count; at++) {
        to = put_part(to, parts->parts[at]);
    }
    *to++ = 0x7a;
    *to++ = 0;
    *to++ = (char)0x85;
    *to++ = 0x01;
    put_number(to, numbers->remote ? 0x300 : 0x100, 4, 0);
}

/* A message as an entry of ScopeSpans.spans: tag, length and the message. */
static PyObject *
joined(Numbers *numbers, Parts *parts)
{
    Py_ssize_t size = FIXED_BYTES + (numbers->has_parent ? PARENT_BYTES : 0) + parts->bytes;
    char head[11] = {0x12};
    int used = 1;
    size_t rest = (size_t)size;
    for (; rest >= 0x80; rest >>= 7) {
        head[used++] = (char)((rest & 0x7f) | 0x80);
    }
    head[used++] = (char)rest;
    PyObject *found = PyBytes_FromStringAndSize(NULL, used + size);
    if (found != NULL) {
        memcpy(PyBytes_AS_STRING(found), head, (size_t)used);
        write_span(PyBytes_AS_STRING(found) + used, numbers, parts);
    }
    return found;
}

static int
is_packable(PyObject *object)
{
    if ((PyObject *)Py_TYPE(object) != constants[SPAN]) {
        return 0;
    }
    SpanCore *span = (SpanCore *)object;
    return span->status == NULL && !span->eventful && !span->linked && span->ids != NULL && PyTuple_Check(span->ids)
        && PyTuple_GET_SIZE(span->ids) >= 5 && span->above != NULL && span->name != NULL && PyUnicode_CheckExact(span->name)
        && span->attributes != NULL && PyDict_CheckExact(span->attributes) && PyDict_GET_SIZE(span->attributes) <= MOST_PARTS - 4
        && span->start_time != NULL && PyLong_CheckExact(span->start_time) && span->end_time != NULL && PyLong_CheckExact(span->end_time);
}

static PyObject *
pack_span(PackCore *self, PyObject *object)
{
    if (!is_packable(object)) {
        Py_RETURN_NONE;
    }
    SpanCore *span = (SpanCore *)object;
    Numbers numbers;
    int plain = numbers_of(self, span, &numbers);
    if (plain <= 0) {
        return plain < 0 ? NULL : Py_NewRef(Py_None);
    }
    Parts parts = {.count = 0, .bytes = 0};
    /* A copy: whoever ended the span may have a thread that sets one more. */
    PyObject *name = Py_NewRef(span->name), *attributes = PyDict_Copy(span->attributes), *found = NULL;
    if (attributes != NULL && gather(self, span, name, attributes, &parts) == 0) {
        found = joined(&numbers, &parts);
    }
    Py_DECREF(name);
    Py_XDECREF(attributes);
    drop_parts(&parts);
    return found;
}

static int
pack_traverse(PackCore *self, visitproc visit, void *arg)
{
    Py_VISIT(self->kinds);
    Py_VISIT(self->names);
    Py_VISIT(self->texts);
    Py_VISIT(self->integers);
    Py_VISIT(self->floats);
    Py_VISIT(self->state);
    Py_VISIT(self->state_bytes);
    return 0;
}

static int
pack_clear(PackCore *self)
{
    Py_CLEAR(self->kinds);
    Py_CLEAR(self->names);
    Py_CLEAR(self->texts);
    Py_CLEAR(self->integers);
    Py_CLEAR(self->floats);
    Py_CLEAR(self->state);
    Py_CLEAR(self->state_bytes);
    return 0;
}

static void
pack_dealloc(PackCore *self)
{
    PyObject_GC_UnTrack(self);
    pack_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef pack_members[] = {
    {"_kinds", T_OBJECT_EX, offsetof(PackCore, kinds), 0, NULL},
    {"_names", T_OBJECT_EX, offsetof(PackCore, names), 0, NULL},
    {"_texts", T_OBJECT_EX, offsetof(PackCore, texts), 0, NULL},
    {"_integers", T_OBJECT_EX, offsetof(PackCore, integers), 0, NULL},
    {"_floats", T_OBJECT_EX, offsetof(PackCore, floats), 0, NULL},
    {"_state", T_OBJECT_EX, offsetof(PackCore, state), 0, NULL},
    {"_state_bytes", T_OBJECT_EX, offsetof(PackCore, state_bytes), 0, NULL},
    {NULL},
};

static PyMethodDef pack_methods[] = {
    {"pack", (PyCFunction)pack_span, METH_O, NULL},
    {NULL},
};

static PyTypeObject PackCoreType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tracing_lib.fast._native.PackCore",
    .tp_basicsize = sizeof(PackCore),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)pack_dealloc,
    .tp_traverse = (traverseproc)pack_traverse,
    .tp_clear = (inquiry)pack_clear,
    .tp_methods = pack_methods,
    .tp_members = pack_members,
};
