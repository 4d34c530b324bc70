/* Headers of W3C Trace Context: the plain cases of traceparent and tracestate, read and written. */

enum { TRACE_DIGITS = 32, SPAN_DIGITS = 16, TRACEPARENT = 55 };

static const char DIGITS[] = "0123456789abcdef";

static int
value_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
read_hex(const char *from, int digits, unsigned long long *number)
{
    unsigned long long found = 0;
    for (int at = 0; at < digits; at++) {
        int value = value_of(from[at]);
        if (value < 0) {
            return -1;
        }
        found = found << 4 | (unsigned long long)value;
    }
    *number = found;
    return 0;
}

static void
write_hex(char *to, int digits, unsigned long long number)
{
    for (int at = digits - 1; at >= 0; at--, number >>= 4) {
        to[at] = DIGITS[number & 15];
    }
}

/* The halves of a trace id; -1 with an exception for what is none. */
static int
halves(PyObject *trace_id, unsigned long long *high, unsigned long long *low)
{
    *low = PyLong_AsUnsignedLongLongMask(trace_id);
    if (*low == (unsigned long long)-1 && PyErr_Occurred()) {
        return -1;
    }
    PyObject *upper = PyNumber_Rshift(trace_id, s_64);
    if (upper == NULL) {
        return -1;
    }
    *high = PyLong_AsUnsignedLongLong(upper);
    Py_DECREF(upper);
    return *high == (unsigned long long)-1 && PyErr_Occurred() ? -1 : 0;
}

/* Whether a header's name or value is text or bytes, and what it is. */
static int
text_of(PyObject *object, const char **text, Py_ssize_t *length)
{
    if (PyBytes_CheckExact(object)) {
        *text = PyBytes_AS_STRING(object);
        *length = PyBytes_GET_SIZE(object);
        return 1;
    }
    if (PyUnicode_CheckExact(object) && PyUnicode_IS_COMPACT_ASCII(object)) {
        *text = (const char *)PyUnicode_1BYTE_DATA(object);
        *length = PyUnicode_GET_LENGTH(object);
        return 1;
    }
    return 0;
}

static PyObject *
ids_in(PyObject *parent, PyObject *state)
{
    const char *text;
    Py_ssize_t length;
    unsigned long long high, low, span;
    if (!text_of(parent, &text, &length) || length != TRACEPARENT || memcmp(text, "00-", 3) != 0 || text[35] != '-'
        || text[52] != '-' || text[53] != '0' || text[54] < '0' || text[54] > '3' || read_hex(text + 3, 16, &high) < 0
        || read_hex(text + 19, 16, &low) < 0 || read_hex(text + 36, SPAN_DIGITS, &span) < 0 || !(high | low) || !span) {
        Py_RETURN_FALSE;
    }
    char digits[TRACE_DIGITS + 1];
    memcpy(digits, text + 3, TRACE_DIGITS);
    digits[TRACE_DIGITS] = 0;
    PyObject *trace_id = PyLong_FromString(digits, NULL, 16);
    PyObject *span_id = PyLong_FromUnsignedLongLong(span);
    PyObject *found = NULL;
    if (trace_id != NULL && span_id != NULL) {
        found = PyTuple_Pack(6, trace_id, span_id, Py_True, PyTuple_GET_ITEM(constants[FLAGS], text[54] - '0'), state, Py_True);
    }
    Py_XDECREF(trace_id);
    Py_XDECREF(span_id);
    return found;
}

/* The ids in plain headers; None without headers, False where they are not plain. */
static PyObject *
ids_of_caller(PyObject *headers)
{
    PyObject *pairs = PySequence_Fast(headers, "headers are pairs");
    if (pairs == NULL) {
        return NULL;
    }
    PyObject *parent = NULL, *state = NULL;
    int plain = 1;
    for (Py_ssize_t at = 0; plain && at < PySequence_Fast_GET_SIZE(pairs); at++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(pairs, at);
        const char *name;
        Py_ssize_t length;
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2 || !text_of(PyTuple_GET_ITEM(pair, 0), &name, &length)) {
            plain = 0;
        }
        else if (length == 11 && memcmp(name, "traceparent", 11) == 0) {
            plain = parent == NULL;
            parent = PyTuple_GET_ITEM(pair, 1);
        }
        else if (length == 10 && memcmp(name, "tracestate", 10) == 0) {
            plain = state == NULL;
            state = PyTuple_GET_ITEM(pair, 1);
        }
        else if (length == 7 && memcmp(name, "baggage", 7) == 0) {
            plain = 0;
        }
    }
    PyObject *found, *known = constants[DEFAULT_STATE];
    if (plain && parent != NULL && state != NULL) {
        known = PyUnicode_CheckExact(state) || PyBytes_CheckExact(state) ? PyDict_GetItemWithError(constants[STATES], state) : NULL;
    }
    if (known == NULL && PyErr_Occurred()) {
        found = NULL;
    }
    else if (!plain || known == NULL) {
        found = Py_NewRef(Py_False);
    }
    else {
        Py_INCREF(known); /* a collection may clear the states */
        found = parent == NULL ? Py_NewRef(Py_None) : ids_in(parent, known);
        Py_DECREF(known);
    }
    Py_DECREF(pairs);
    return found;
}

/* -1 with an exception. */
static int
write_traceparent(PyObject *ids, char *text)
{
    unsigned long long high, low, span;
    if (!PyTuple_Check(ids) || PyTuple_GET_SIZE(ids) < 4) {
        PyErr_SetString(PyExc_TypeError, "traceparent takes a span's ids");
        return -1;
    }
    unsigned long flags = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(ids, 3));
    span = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(ids, 1));
    if (PyErr_Occurred() || halves(PyTuple_GET_ITEM(ids, 0), &high, &low) < 0) {
        return -1;
    }
    memcpy(text, "00-", 3);
    write_hex(text + 3, 16, high);
    write_hex(text + 19, 16, low);
    text[35] = '-';
    write_hex(text + 36, SPAN_DIGITS, span);
    text[52] = '-';
    write_hex(text + 53, 2, flags & 255);
    return 0;
}

static PyObject *last_state, *last_state_header;

/* Put the headers of a span into a dictionary; -1 with an exception. The header of a trace state is kept for the next span of the trace. */
static int
put_headers(PyObject *carrier, PyObject *ids)
{
    char text[TRACEPARENT];
    PyObject *parent = write_traceparent(ids, text) < 0 ? NULL : PyUnicode_FromStringAndSize(text, TRACEPARENT);
    int done = parent == NULL ? -1 : PyDict_SetItem(carrier, s_traceparent, parent);
    Py_XDECREF(parent);
    PyObject *state = PyTuple_GET_ITEM(ids, 4);
    if (done < 0 || state == constants[DEFAULT_STATE]) {
        return done;
    }
    PyObject *header = state == last_state ? Py_NewRef(last_state_header) : PyObject_CallMethodNoArgs(state, s_to_header);
    if (header == NULL || !PyUnicode_Check(header)) {
        Py_XDECREF(header);
        return PyErr_Occurred() ? -1 : 0;
    }
    if (state != last_state) {
        PyObject *before = last_state, *before_header = last_state_header;
        last_state = Py_NewRef(state);
        last_state_header = Py_NewRef(header);
        Py_XDECREF(before);
        Py_XDECREF(before_header);
    }
    done = PyUnicode_GET_LENGTH(header) ? PyDict_SetItem(carrier, s_tracestate, header) : 0;
    Py_DECREF(header);
    return done;
}
