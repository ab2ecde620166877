/* Looks at what Python audits and passes on what may matter. Unaware of what matters: it is told the names of events,
   and the directories in which no opened file does.

   Most of what a builder opens is its input. A hook in Python takes a twentieth of the time of opening a file before it
   has looked at it; this one takes less, and calls Python for the rest alone. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef Py_GIL_DISABLED
#error "what is kept here is guarded by the global interpreter lock"
#endif

static PyInterpreterState *owner = NULL;
static PyObject *passed_on = NULL; /* a callable: event, arguments */
static PyObject *events = NULL;    /* a frozenset of names */
static PyObject *clear = NULL;     /* a set of directories; NULL while nobody watches */

/* Whether an opened file is in a clear directory; -1 for an error. */
static int is_clear(PyObject *arguments)
{
    if (PyTuple_GET_SIZE(arguments) == 0 || !PyUnicode_CheckExact(PyTuple_GET_ITEM(arguments, 0)))
        return 0;
    PyObject *path = PyTuple_GET_ITEM(arguments, 0);
    Py_ssize_t end = PyUnicode_FindChar(path, '/', 0, PyUnicode_GET_LENGTH(path), -1);
    if (end < 0)
        return end == -1 ? 0 : -1;
    PyObject *directory = PyUnicode_Substring(path, 0, end);
    if (directory == NULL)
        return -1;
    int found = PySet_Contains(clear, directory);
    Py_DECREF(directory);
    return found;
}

static int hook(const char *event, PyObject *arguments, void *Py_UNUSED(data))
{
    if (clear == NULL || PyInterpreterState_Get() != owner)
        return 0;
    if (strcmp(event, "open") == 0) {
        int ignored = is_clear(arguments);
        if (ignored)
            return ignored < 0 ? -1 : 0;
    }
    PyObject *name = PyUnicode_FromString(event);
    if (name == NULL)
        return -1;
    int wanted = PySet_Contains(events, name);
    if (wanted > 0) {
        PyThreadState *thread = PyThreadState_Get();
        PyThreadState_EnterTracing(thread); /* as Python does around its own hooks: a debugger is not led in here */
        PyObject *result = PyObject_CallFunctionObjArgs(passed_on, name, arguments, NULL);
        PyThreadState_LeaveTracing(thread);
        wanted = result == NULL ? -1 : 0;
        Py_XDECREF(result);
    }
    Py_DECREF(name);
    return wanted;
}

PyDoc_STRVAR(install_doc,
"install(hook, events)\n--\n\n"
"Have `hook(event, arguments)` called for these events while something is watched, and no other one.\n\n"
"Raises:\n    RuntimeError: another interpreter of this process has done so.");

static PyObject *install(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *callable, *names;
    if (!PyArg_ParseTuple(arguments, "OO!:install", &callable, &PyFrozenSet_Type, &names))
        return NULL;
    if (owner != NULL && owner != PyInterpreterState_Get()) {
        PyErr_SetString(PyExc_RuntimeError, "another interpreter of this process watches");
        return NULL;
    }
    if (owner == NULL && PySys_AddAuditHook(hook, NULL) < 0)
        return NULL;
    owner = PyInterpreterState_Get();
    Py_XSETREF(passed_on, Py_NewRef(callable));
    Py_XSETREF(events, Py_NewRef(names));
    Py_RETURN_NONE;
}

PyDoc_STRVAR(watch_doc,
"watch(clear)\n--\n\n"
"Pass events on from now on, but for files that are opened in a directory of this set; None passes nothing on.");

static PyObject *watch(PyObject *Py_UNUSED(module), PyObject *directories)
{
    if (directories != Py_None && !PySet_CheckExact(directories)) {
        PyErr_SetString(PyExc_TypeError, "a set or None");
        return NULL;
    }
    if (PyInterpreterState_Get() == owner)
        Py_XSETREF(clear, directories == Py_None ? NULL : Py_NewRef(directories));
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"install", install, METH_VARARGS, install_doc},
    {"watch", watch, METH_O, watch_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_glance",
    .m_doc = "Looks at what Python audits and passes on what may matter.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__glance(void)
{
    return PyModule_Create(&module);
}
