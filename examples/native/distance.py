from odps.udf import annotate


@annotate("string,double,double,double,double->double")
class Distance:
    def evaluate(self, ellipsoid, lat1, lon1, lat2, lon2):
        # Both libraries are loaded by now, first the one that the other needs.
        from geodesy import distance

        if None in (ellipsoid, lat1, lon1, lat2, lon2):
            return None
        return round(distance(ellipsoid, lat1, lon1, lat2, lon2), 3)
