/* How a span begins: contexts, children that become current, and requests that arrive. */

/* A context with the entries of another and one more. */
static PyObject *
context_with(PyObject *cls, PyObject *context, PyObject *key, PyObject *value)
{
    PyObject *none = PyTuple_New(0);
    PyObject *found = none == NULL ? NULL : PyDict_Type.tp_new((PyTypeObject *)cls, none, NULL);
    Py_XDECREF(none);
    if (found != NULL && ((PyDict_GET_SIZE(context) && PyDict_Update(found, context) < 0) || PyDict_SetItem(found, key, value) < 0)) {
        Py_CLEAR(found);
    }
    return found;
}

/* derived(Context, key, value, context): the context with one entry more, or another. */
static PyObject *
derived(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 4 || !PyType_Check(args[0]) || !PyType_IsSubtype((PyTypeObject *)args[0], &PyDict_Type) || !PyDict_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "derived takes a class, a key, a value and a context");
        return NULL;
    }
    return context_with(args[0], args[3], args[1], args[2]);
}

/* current(variable, key, nothing, otherwise): the span of the current context. */
static PyObject *
current(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    PyObject *context = NULL;
    if (given != 4 || !PyContextVar_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "current takes a context variable, a key, a span and a function");
        return NULL;
    }
    if (PyContextVar_Get(args[0], NULL, &context) < 0) {
        return NULL;
    }
    if (context == NULL || !PyDict_Check(context)) {
        Py_XDECREF(context);
        PyErr_SetString(PyExc_TypeError, "there is no current context");
        return NULL;
    }
    PyObject *span = PyDict_GetItemWithError(context, args[1]), *found = NULL;
    if (span == NULL && !PyErr_Occurred()) {
        found = Py_NewRef(args[2]);
    }
    else if (span != NULL) {
        found = PyObject_TypeCheck(span, &SpanCoreType) ? Py_NewRef(span) : PyObject_CallOneArg(args[3], context);
    }
    Py_DECREF(context);
    return found;
}

/* What the short way to a span needs that is the same for a whole process, in the order of pure.Home. */
enum {
    VARIABLE, CONTEXT, SPAN_KEY, SPAN, TRACER, BITS, NO_MARKS, SERVER, NOT_RECORDED, TEXTMAPS, TEXTMAP, PROPAGATOR,
    FLAGS, DEFAULT_STATE, BAGGAGE_KEY, PLACES
};

static int
is_home(PyObject *home)
{
    return PyTuple_Check(home) && PyTuple_GET_SIZE(home) == PLACES && is_span_class(PyTuple_GET_ITEM(home, SPAN))
        && PyType_Check(PyTuple_GET_ITEM(home, TRACER)) && PyType_IsSubtype((PyTypeObject *)PyTuple_GET_ITEM(home, TRACER), &TracerCoreType)
        && PyType_Check(PyTuple_GET_ITEM(home, CONTEXT)) && PyType_IsSubtype((PyTypeObject *)PyTuple_GET_ITEM(home, CONTEXT), &PyDict_Type)
        && PyDict_Check(PyTuple_GET_ITEM(home, NO_MARKS)) && PyDict_Check(PyTuple_GET_ITEM(home, TEXTMAPS))
        && PyTuple_Check(PyTuple_GET_ITEM(home, FLAGS)) && PyTuple_GET_SIZE(PyTuple_GET_ITEM(home, FLAGS)) >= 4;
}

/* What a source has for the short way, held: another thread may look the provider up anew meanwhile. NULL where it has nothing. */
static PyObject *
home_of(SourceCore *source)
{
    /* Looked at once for each: what a home is made of does not change. */
    if (source->home != source->looked_at && source->home != NULL) {
        if (!is_home(source->home)) {
            return NULL;
        }
        Py_XSETREF(source->looked_at, Py_NewRef(source->home));
    }
    return source->home != NULL ? Py_NewRef(source->home) : NULL;
}

#define HOME(place) PyTuple_GET_ITEM(home, place)

/* What a tracer's spans have in common, where it is one of ours and a span that starts is to be counted and nothing else; else NULL. */
static PyObject *
quick_recording(PyObject *home, PyObject *tracer)
{
    if ((PyObject *)Py_TYPE(tracer) != HOME(TRACER)) {
        return NULL;
    }
    PyObject *recording = ((TracerCore *)tracer)->quick;
    if (recording == NULL || recording == Py_None) {
        return NULL;
    }
    Py_INCREF(recording);
    PyObject *processor = processor_of(recording);
    PyObject *others = processor != NULL && PyObject_TypeCheck(processor, &StageCoreType) ? ((StageCore *)processor)->others : NULL;
    int none = others != NULL && PyTuple_Check(others) && PyTuple_GET_SIZE(others) == 0;
    Py_XDECREF(processor);
    if (!none) {
        Py_CLEAR(recording);
    }
    return recording;
}

/* Count a span that started; takes it over, also where it fails. */
static PyObject *
counted(PyObject *recording, PyObject *span)
{
    PyObject *count = span == NULL ? NULL : start_counter_of(recording);
    PyObject *done = count == NULL ? NULL : PyObject_CallNoArgs(count);
    Py_XDECREF(count);
    Py_XDECREF(done);
    if (done == NULL) {
        Py_CLEAR(span);
    }
    return span;
}

/* enter(source, name, kind, attributes): start a child of the current span and make it current; span and the context before, or None
 * where it takes more. */
static PyObject *
enter(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 4 || !PyObject_TypeCheck(args[0], &SourceCoreType)) {
        PyErr_SetString(PyExc_TypeError, "enter takes a source, name, kind and attributes");
        return NULL;
    }
    PyObject *tracer = source_get((SourceCore *)args[0], NULL);
    if (tracer == NULL) {
        return NULL;
    }
    PyObject *home = home_of((SourceCore *)args[0]);
    if (home == NULL || HOME(VARIABLE) == Py_None) {
        Py_XDECREF(home);
        Py_DECREF(tracer);
        Py_RETURN_NONE;
    }
    PyObject *recording = quick_recording(home, tracer), *before = NULL, *span = NULL, *active = NULL, *result = NULL;
    Py_DECREF(tracer);
    if (recording == NULL) {
        Py_DECREF(home);
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    if (PyContextVar_Get(HOME(VARIABLE), NULL, &before) < 0) {
        goto done;
    }
    PyObject *current = before != NULL && PyDict_Check(before) ? PyDict_GetItemWithError(before, HOME(SPAN_KEY)) : NULL;
    if (current == NULL || (PyObject *)Py_TYPE(current) != HOME(SPAN)) {
        result = PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
        goto done;
    }
    PyObject *above = ((SpanCore *)current)->ids;
    PyObject *ids = above != NULL && PyTuple_Check(above) && PyTuple_GET_SIZE(above) >= 5 ? child_ids(HOME(BITS), above) : NULL;
    if (ids == NULL) {
        result = PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
        goto done;
    }
    span = counted(recording, made(HOME(SPAN), recording, args[1], ids, above, args[2], args[3], HOME(NO_MARKS)));
    active = span == NULL ? NULL : context_with(HOME(CONTEXT), before, HOME(SPAN_KEY), span);
    PyObject *token = active == NULL ? NULL : PyContextVar_Set(HOME(VARIABLE), active);
    if (token != NULL) {
        Py_DECREF(token);
        result = PyTuple_Pack(2, span, before);
    }
done:
    Py_DECREF(home);
    Py_DECREF(recording);
    Py_XDECREF(before);
    Py_XDECREF(span);
    Py_XDECREF(active);
    return result;
}

/* The decision about an operation that still stands. NULL without an exception where there is none. */
static PyObject *
leased(PyObject *leases, PyObject *name)
{
    PyObject *lease = leases != NULL && PyDict_CheckExact(leases) ? PyDict_GetItemWithError(leases, name) : NULL;
    struct timespec now;
    if (lease != NULL && PyTuple_Check(lease) && PyTuple_GET_SIZE(lease) == 2 && PyFloat_Check(PyTuple_GET_ITEM(lease, 1))
        && clock_gettime(CLOCK_MONOTONIC, &now) == 0
        && (double)now.tv_sec + (double)now.tv_nsec * 1e-9 < PyFloat_AS_DOUBLE(PyTuple_GET_ITEM(lease, 1))) {
        return Py_NewRef(PyTuple_GET_ITEM(lease, 0));
    }
    return NULL;
}

/* Whether the SDK has a tracer enabled; -1 with an exception. */
static int
enabled(TracerCore *tracer)
{
    PyObject *config = tracer->inner == NULL ? NULL : PyObject_GetAttr(tracer->inner, s_tracer_config);
    PyObject *found = config == NULL ? NULL : PyObject_GetAttr(config, s_is_enabled);
    Py_XDECREF(config);
    Py_XDECREF(found);
    return found == NULL ? -1 : found == Py_True;
}

/* The first span of a trace, where the tracer's sampler can be asked for no more than the operation. NULL without an exception else. */
static PyObject *
first_span(PyObject *home, TracerCore *tracer, PyObject *recording, PyObject *name, PyObject *attributes)
{
    if (tracer->decide == NULL || tracer->decide == Py_None || tracer->otherwise == NULL || enabled(tracer) <= 0) {
        return NULL;
    }
    PyObject *decide = Py_NewRef(tracer->decide), *otherwise = Py_NewRef(tracer->otherwise), *leases = Py_XNewRef(tracer->leases);
    PyObject *decision = leased(leases, name), *span = NULL;
    if (decision == NULL && !PyErr_Occurred()) {
        decision = PyObject_CallOneArg(decide, name);
    }
    if (decision != NULL && decision != Py_None) {
        PyObject *arguments[] = {HOME(SPAN), recording, name, HOME(BITS), HOME(SERVER), attributes, decision, otherwise};
        span = root(NULL, arguments, 8);
    }
    Py_DECREF(decide);
    Py_DECREF(otherwise);
    Py_XDECREF(leases);
    Py_XDECREF(decision);
    return span;
}

/* serve(source, before, name, attributes, headers, key): start the span of a request that nobody here asked for; span and the context in
 * which it is to become current, or None where it takes more. ``key``: under which that context holds name and span; or None. */
static PyObject *
serve(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given)
{
    if (given != 6 || !PyObject_TypeCheck(args[0], &SourceCoreType) || !PyDict_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "serve takes a source, a context, name, attributes, headers and a key");
        return NULL;
    }
    PyObject *before = args[1], *name = args[2], *attributes = args[3];
    PyObject *tracer = source_get((SourceCore *)args[0], NULL);
    if (tracer == NULL) {
        return NULL;
    }
    PyObject *home = home_of((SourceCore *)args[0]);
    if (home == NULL) {
        Py_DECREF(tracer);
        Py_RETURN_NONE;
    }
    PyObject *propagator = PyDict_GetItemWithError(HOME(TEXTMAPS), HOME(TEXTMAP));
    int held = PyDict_Contains(before, HOME(SPAN_KEY));
    if (held != 0 || propagator == NULL || (PyObject *)Py_TYPE(propagator) != HOME(PROPAGATOR)) {
        Py_DECREF(home);
        Py_DECREF(tracer);
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    PyObject *recording = quick_recording(home, tracer);
    PyObject *states = recording == NULL ? NULL : PyObject_GetAttr(propagator, s_states);
    PyObject *above = states == NULL ? NULL : ids_of_caller(states, HOME(FLAGS), HOME(DEFAULT_STATE), args[4]);
    Py_XDECREF(states);
    PyObject *span = NULL, *active = NULL, *result = NULL;
    int counts = 1;
    if (above == Py_None) {
        span = first_span(home, (TracerCore *)tracer, recording, name, attributes);
    }
    else if (above != NULL && above != Py_False) {
        if (PyLong_AsLong(PyTuple_GET_ITEM(above, 3)) & 1) {
            PyObject *ids = child_ids(HOME(BITS), above);
            span = ids == NULL ? NULL : made(HOME(SPAN), recording, name, ids, above, HOME(SERVER), attributes, HOME(NO_MARKS));
        }
        else {
            span = Py_NewRef(above);
        }
    }
    if (span != NULL && PyTuple_Check(span)) {
        Py_SETREF(span, PyObject_CallOneArg(HOME(NOT_RECORDED), span));
        counts = 0;
    }
    if (span != NULL && counts) {
        span = counted(recording, span);
    }
    if (span != NULL) {
        active = context_with(HOME(CONTEXT), before, HOME(SPAN_KEY), span);
        PyObject *served = active == NULL || args[5] == Py_None ? NULL : PyTuple_Pack(2, name, span);
        if (served != NULL && PyDict_SetItem(active, args[5], served) < 0) {
            Py_CLEAR(active);
        }
        Py_XDECREF(served);
    }
    if (active != NULL && !PyErr_Occurred()) {
        result = PyTuple_Pack(2, span, active);
    }
    Py_DECREF(home);
    Py_DECREF(tracer);
    Py_XDECREF(recording);
    Py_XDECREF(above);
    Py_XDECREF(span);
    Py_XDECREF(active);
    return result != NULL || PyErr_Occurred() ? result : Py_NewRef(Py_None);
}
