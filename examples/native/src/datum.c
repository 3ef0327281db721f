#include <stddef.h>
#include <string.h>

#include "datum.h"

static const struct { const char *name; double a, reciprocal; } known[] = {
    {"GRS80", 6378137.0, 298.257222101},
    {"WGS84", 6378137.0, 298.257223563},
    {"Bessel", 6377397.155, 299.1528128},
};

int datum_ellipsoid(const char *name, struct ellipsoid *found) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0) {
            found->a = known[i].a;
            found->f = 1 / known[i].reciprocal;
            return 0;
        }
    return -1;
}
