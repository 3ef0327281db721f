#include <math.h>

#include "datum.h"
#include "geodesy.h"

#define RADIANS (3.14159265358979323846 / 180)

double geodesy_distance(const char *ellipsoid, double lat1, double lon1, double lat2, double lon2) {
    struct ellipsoid e;
    if (datum_ellipsoid(ellipsoid, &e) != 0)
        return -1;
    double b = e.a * (1 - e.f);
    double u1 = atan((1 - e.f) * tan(lat1 * RADIANS)), u2 = atan((1 - e.f) * tan(lat2 * RADIANS));
    double s1 = sin(u1), c1 = cos(u1), s2 = sin(u2), c2 = cos(u2);
    double l = (lon2 - lon1) * RADIANS, lambda = l;
    for (int turn = 0; turn < 200; turn++) {
        double sl = sin(lambda), cl = cos(lambda);
        double x = c2 * sl, y = c1 * s2 - s1 * c2 * cl;
        double ss = sqrt(x * x + y * y);
        if (ss == 0)
            return 0; /* the same point */
        double cs = s1 * s2 + c1 * c2 * cl, sigma = atan2(ss, cs);
        double sa = c1 * c2 * sl / ss, ca2 = 1 - sa * sa;
        double cm = ca2 == 0 ? 0 : cs - 2 * s1 * s2 / ca2; /* 0 along the equator */
        double c = e.f / 16 * ca2 * (4 + e.f * (4 - 3 * ca2));
        double before = lambda;
        lambda = l + (1 - c) * e.f * sa * (sigma + c * ss * (cm + c * cs * (2 * cm * cm - 1)));
        if (fabs(lambda - before) < 1e-12) {
            double k = ca2 * (e.a * e.a - b * b) / (b * b);
            double big_a = 1 + k / 16384 * (4096 + k * (-768 + k * (320 - 175 * k)));
            double big_b = k / 1024 * (256 + k * (-128 + k * (74 - 47 * k)));
            double last = cs * (2 * cm * cm - 1) - big_b / 6 * cm * (4 * ss * ss - 3) * (4 * cm * cm - 3);
            return b * big_a * (sigma - big_b * ss * (cm + big_b / 4 * last));
        }
    }
    return NAN;
}
