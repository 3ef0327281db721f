/* Distances on an ellipsoid. */
#ifndef GEODESY_H
#define GEODESY_H

/*
 * The length in metres of the shortest line between two points, in degrees: Vincenty's inverse formula (1975).
 * Negative for an unknown ellipsoid, NaN where it does not converge (points nearly opposite).
 */
double geodesy_distance(const char *ellipsoid, double lat1, double lon1, double lat2, double lon2);

#endif
