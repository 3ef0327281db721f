/* The binding: one function, in the part of Python's C API that every Python 3 from 3.7 on has (abi3). */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03070000
#include <Python.h>

#include "geodesy.h"

static PyObject *distance(PyObject *self, PyObject *args) {
    const char *ellipsoid;
    double lat1, lon1, lat2, lon2;
    (void)self;
    if (!PyArg_ParseTuple(args, "sdddd", &ellipsoid, &lat1, &lon1, &lat2, &lon2))
        return NULL;
    double found = geodesy_distance(ellipsoid, lat1, lon1, lat2, lon2);
    return found < 0 ? PyErr_Format(PyExc_ValueError, "no ellipsoid '%s'", ellipsoid) : PyFloat_FromDouble(found);
}

static PyMethodDef methods[] = {
    {"distance", distance, METH_VARARGS, "distance(ellipsoid, lat1, lon1, lat2, lon2) -> metres"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_geodesy", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__geodesy(void) { return PyModule_Create(&module); }
