/* Ids as text: traceparent, read and written, and the token of a job. */

enum { TRACE_DIGITS = 32, SPAN_DIGITS = 16, TRACEPARENT = 55, TOKEN_BYTES = 30, TOKEN_TEXT = 40 };

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
ids_in(PyObject *parent, PyObject *state, PyObject *flags)
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
        found = PyTuple_Pack(6, trace_id, span_id, Py_True, PyTuple_GET_ITEM(flags, text[54] - '0'), state, Py_True);
    }
    Py_XDECREF(trace_id);
    Py_XDECREF(span_id);
    return found;
}

/* The ids in plain headers; None without, False where it takes more to read them. */
static PyObject *
ids_of_caller(PyObject *states, PyObject *flags, PyObject *default_state, PyObject *headers)
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
    PyObject *found, *known = default_state;
    if (plain && parent != NULL && state != NULL) {
        known = PyUnicode_CheckExact(state) || PyBytes_CheckExact(state) ? PyDict_GetItemWithError(states, state) : NULL;
    }
    if (known == NULL && PyErr_Occurred()) {
        found = NULL;
    }
    else if (!plain || known == NULL) {
        found = Py_NewRef(Py_False);
    }
    else {
        found = parent == NULL ? Py_NewRef(Py_None) : ids_in(parent, known, flags);
    }
    Py_DECREF(pairs);
    return found;
}

/* caller(states, flags, default state, headers) */
static PyObject *
caller(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 4 || !PyDict_Check(args[0]) || !PyTuple_Check(args[1]) || PyTuple_GET_SIZE(args[1]) < 4) {
        PyErr_SetString(PyExc_TypeError, "caller takes states, flags, the default state and headers");
        return NULL;
    }
    return ids_of_caller(args[0], args[1], args[2], args[3]);
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

static PyObject *
traceparent(PyObject *Py_UNUSED(module), PyObject *ids)
{
    char text[TRACEPARENT];
    return write_traceparent(ids, text) < 0 ? NULL : PyUnicode_FromStringAndSize(text, TRACEPARENT);
}

/* token(trace id, span id, sampled, hundredths of a second): 30 bytes in URL-safe base64. */
static PyObject *
token(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned long long parts[3];
    if (given != 4) {
        PyErr_SetString(PyExc_TypeError, "token takes trace id, span id, sampled and a time");
        return NULL;
    }
    int sampled = PyObject_IsTrue(args[2]);
    unsigned long long time_part = PyLong_AsUnsignedLongLong(args[3]);
    parts[2] = PyLong_AsUnsignedLongLong(args[1]);
    if (PyErr_Occurred() || halves(args[0], &parts[0], &parts[1]) < 0) {
        return NULL;
    }
    unsigned char raw[TOKEN_BYTES];
    for (int at = 0; at < 24; at++) {
        raw[at] = (unsigned char)(parts[at / 8] >> (56 - 8 * (at % 8)));
    }
    raw[24] = (unsigned char)sampled;
    for (int at = 0; at < 5; at++) {
        raw[25 + at] = (unsigned char)(time_part >> (32 - 8 * at));
    }
    char text[4 + TOKEN_TEXT];
    memcpy(text, "ve1.", 4);
    for (int at = 0, to = 4; at < TOKEN_BYTES; at += 3, to += 4) {
        unsigned three = (unsigned)raw[at] << 16 | (unsigned)raw[at + 1] << 8 | raw[at + 2];
        for (int part = 0; part < 4; part++) {
            text[to + part] = LETTERS[three >> (18 - 6 * part) & 63];
        }
    }
    return PyUnicode_FromStringAndSize(text, sizeof text);
}
