/* The ellipsoids that surveys are computed on. */
#ifndef DATUM_H
#define DATUM_H

/* Half the long axis in metres, and the flattening (a - b) / a. */
struct ellipsoid { double a, f; };

/* Fills `found` and returns 0, or returns -1 for a name it does not know. */
int datum_ellipsoid(const char *name, struct ellipsoid *found);

#endif
