/* Attributes by path, as each call sets them: readings.py in C. */

/* In the order of readings.Reading. */
enum { KEY, ROOT, POSITION, DEFAULT, FIELDS, READERS, CLEAN, READING };

static int
is_reading(PyObject *reading)
{
    return PyTuple_Check(reading) && PyTuple_GET_SIZE(reading) == READING && PyTuple_Check(PyTuple_GET_ITEM(reading, FIELDS))
        && PyDict_Check(PyTuple_GET_ITEM(reading, READERS));
}

/* What the rest of a path leads to. */
static PyObject *
value_at(PyObject *reading, PyObject *root)
{
    if (!PyTuple_GET_SIZE(PyTuple_GET_ITEM(reading, FIELDS))) {
        return Py_NewRef(root);
    }
    PyObject *readers = PyTuple_GET_ITEM(reading, READERS), *kind = (PyObject *)Py_TYPE(root);
    PyObject *reader = Py_XNewRef(PyDict_GetItemWithError(readers, kind));
    if (reader == NULL && !PyErr_Occurred()) {
        reader = PyObject_GetItem(readers, kind);
    }
    PyObject *value = reader == NULL ? NULL : PyObject_CallOneArg(reader, root);
    Py_XDECREF(reader);
    return value;
}

/* Set one attribute; a property of the service's own that fails is not a reason to fail its call. -1 with an exception else. */
static int
put(PyObject *span, PyObject *reading, PyObject *root)
{
    PyObject *value = value_at(reading, root);
    if (value != NULL && !is_plain_value(value)) {
        Py_SETREF(value, PyObject_CallOneArg(PyTuple_GET_ITEM(reading, CLEAN), value));
    }
    if (value == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return -1;
        }
        PyErr_Clear();
        return 0;
    }
    PyObject *done = Py_None;
    if (value != Py_None) {
        done = PyObject_CallMethodObjArgs(span, s_set_attribute, PyTuple_GET_ITEM(reading, KEY), value, NULL);
        Py_XDECREF(done);
    }
    Py_DECREF(value);
    return done == NULL ? -1 : 0;
}

/* Whether there is a span to set attributes on; -1 with an exception. */
static int
records(PyObject *readings, PyObject *span)
{
    if (!PyTuple_Check(readings)) {
        PyErr_SetString(PyExc_TypeError, "readings are a tuple");
        return -1;
    }
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(readings); at++) {
        if (!is_reading(PyTuple_GET_ITEM(readings, at))) {
            PyErr_SetString(PyExc_TypeError, "readings are a tuple of Reading");
            return -1;
        }
    }
    PyObject *recording = PyObject_CallMethodNoArgs(span, s_is_recording);
    int found = recording == NULL ? -1 : PyObject_IsTrue(recording);
    Py_XDECREF(recording);
    return found;
}

/* set_arguments(readings, span, args, kwargs) */
static PyObject *
set_arguments(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 4 || !PyTuple_Check(args[2]) || !PyDict_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "set_arguments takes readings, a span, a tuple and a dictionary");
        return NULL;
    }
    int going = records(args[0], args[1]);
    for (Py_ssize_t at = 0; going > 0 && at < PyTuple_GET_SIZE(args[0]); at++) {
        PyObject *reading = PyTuple_GET_ITEM(args[0], at);
        Py_ssize_t position = PyLong_AsSsize_t(PyTuple_GET_ITEM(reading, POSITION));
        PyObject *root = NULL;
        if (position >= 0 && position < PyTuple_GET_SIZE(args[2])) {
            root = PyTuple_GET_ITEM(args[2], position);
        }
        else if (!PyErr_Occurred()) {
            root = PyDict_GetItemWithError(args[3], PyTuple_GET_ITEM(reading, ROOT));
            if (root == NULL && !PyErr_Occurred()) {
                root = PyTuple_GET_ITEM(reading, DEFAULT);
            }
        }
        Py_XINCREF(root);
        going = root == NULL || put(args[1], reading, root) < 0 ? -1 : 1;
        Py_XDECREF(root);
    }
    return going < 0 ? NULL : Py_NewRef(Py_None);
}

/* set_results(readings, span, result) */
static PyObject *
set_results(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 3) {
        PyErr_SetString(PyExc_TypeError, "set_results takes readings, a span and a result");
        return NULL;
    }
    int going = records(args[0], args[1]);
    for (Py_ssize_t at = 0; going > 0 && at < PyTuple_GET_SIZE(args[0]); at++) {
        going = put(args[1], PyTuple_GET_ITEM(args[0], at), args[2]) < 0 ? -1 : 1;
    }
    return going < 0 ? NULL : Py_NewRef(Py_None);
}

/* One step; takes the message over. */
static PyObject *
stepped(PyObject *message, PyObject *step, int *absent)
{
    PyObject *name = PyTuple_GET_ITEM(step, 0), *values = PyTuple_GET_ITEM(step, 2), *value = NULL;
    int optional = PyObject_IsTrue(PyTuple_GET_ITEM(step, 1)), there = optional < 0 ? -1 : 1;
    if (optional > 0) {
        PyObject *has = PyObject_CallMethodOneArg(message, s_has_field, name);
        there = has == NULL ? -1 : PyObject_IsTrue(has);
        Py_XDECREF(has);
    }
    *absent = there == 0;
    if (*absent) {
        value = Py_NewRef(Py_None);
    }
    else if (there > 0) {
        value = PyObject_GetAttr(message, name);
        PyObject *known = value == NULL || values == Py_None ? Py_None : PyObject_CallMethodOneArg(values, s_get, value);
        if (known != Py_None) {
            Py_SETREF(value, known == NULL ? NULL : PyObject_GetAttr(known, s_name));
            Py_XDECREF(known);
        }
    }
    Py_DECREF(message);
    return value;
}

/* follow(steps, message) */
static PyObject *
follow(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 2 || !PyTuple_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "follow takes steps and a message");
        return NULL;
    }
    PyObject *value = Py_NewRef(args[1]);
    int absent = 0;
    for (Py_ssize_t at = 0; value != NULL && !absent && at < PyTuple_GET_SIZE(args[0]); at++) {
        PyObject *step = PyTuple_GET_ITEM(args[0], at);
        if (!PyTuple_Check(step) || PyTuple_GET_SIZE(step) != 3) {
            PyErr_SetString(PyExc_TypeError, "a step is a name, whether it may be absent, and values");
            Py_CLEAR(value);
        }
        else {
            value = stepped(value, step, &absent);
        }
    }
    return value;
}
