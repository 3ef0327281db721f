import os

from odps.distcache import get_cache_file
from odps.udf import annotate

DUTCH_GRID = 28992  # EPSG's numbers of systems of coordinates
DEGREES = 4326


def open_libraries():
    """Return the modules of GDAL, which know where their files are."""
    # Both libraries are loaded by now, first the one that the other needs; PROJ reads its variable when it is first asked.
    os.environ["PROJ_LIB"] = os.path.abspath("work/geodata.zip/proj")
    os.environ["GDAL_DATA"] = os.path.abspath("work/geodata.zip/gdal")
    from osgeo import gdal, gdal_array, ogr, osr

    for module in (gdal, ogr, osr):
        module.UseExceptions()
    return gdal, gdal_array, ogr, osr


def spatial_reference(osr, number):
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(number)
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)  # x before y, longitude before latitude
    return reference


def to_grid(osr):
    return osr.CoordinateTransformation(spatial_reference(osr, DEGREES), spatial_reference(osr, DUTCH_GRID))


@annotate("double,double->double")
class Height:
    def __init__(self):
        self.heights = None

    def open(self):
        gdal, gdal_array, _, osr = open_libraries()
        with get_cache_file("relief.asc", "b") as file:
            gdal.FileFromMemBuffer("/vsimem/relief.asc", file.read())
        raster = gdal.Open("/vsimem/relief.asc")
        self.left, self.width, _, self.top, _, self.height = raster.GetGeoTransform()
        self.nothing = raster.GetRasterBand(1).GetNoDataValue()
        self.heights = gdal_array.DatasetReadAsArray(raster)
        self.transformation = to_grid(osr)

    def evaluate(self, longitude, latitude):
        if longitude is None or latitude is None:
            return None
        if self.heights is None:
            self.open()
        x, y, _ = self.transformation.TransformPoint(longitude, latitude)
        column, row = int((x - self.left) // self.width), int((y - self.top) // self.height)
        rows, columns = self.heights.shape
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        height = float(self.heights[row, column])
        return None if height == self.nothing else height


@annotate("string->binary")
class GeoTiff:
    def evaluate(self, text):
        if text is None:
            return None
        gdal, _, _, osr = open_libraries()
        gdal.FileFromMemBuffer("/vsimem/grid.asc", text.encode())
        options = {"format": "GTiff", "outputSRS": spatial_reference(osr, DUTCH_GRID).ExportToWkt()}
        gdal.Translate("/vsimem/grid.tif", "/vsimem/grid.asc", creationOptions=["COMPRESS=DEFLATE"], **options)
        file = gdal.VSIFOpenL("/vsimem/grid.tif", "rb")
        content = gdal.VSIFReadL(1, gdal.VSIStatL("/vsimem/grid.tif").size, file)
        gdal.VSIFCloseL(file)
        return bytes(content)


@annotate("binary->double")
class Mean:
    def evaluate(self, tile):
        if tile is None:
            return None
        gdal, _, _, _ = open_libraries()
        gdal.FileFromMemBuffer("/vsimem/tile", bytes(tile))
        raster = gdal.Open("/vsimem/tile")  # a band is gone with its raster, and the process with who asks it then
        _, _, mean, _ = raster.GetRasterBand(1).ComputeStatistics(False)
        return mean


@annotate("string->double")
class Area:
    def __init__(self):
        self.transformation = None

    def evaluate(self, polygon):
        if polygon is None:
            return None
        _, _, ogr, osr = open_libraries()
        if self.transformation is None:
            self.transformation = to_grid(osr)
        geometry = ogr.CreateGeometryFromWkt(polygon)
        geometry.Transform(self.transformation)
        return round(geometry.Area(), -3)
