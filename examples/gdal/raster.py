from odps.distcache import get_cache_file
from odps.udf import annotate

DEGREES, DUTCH_GRID = "EPSG:4326", "EPSG:28992"


@annotate("double,double->double")
class Height:
    def __init__(self):
        self.heights = None

    def open(self):
        from rasterio.io import MemoryFile

        with get_cache_file("relief.asc", "b") as file:
            content = file.read()
        with MemoryFile(content, ext=".asc") as memory, memory.open() as raster:
            self.heights, self.affine = raster.read(1), raster.transform
            self.nothing = raster.read_masks(1) == 0

    def evaluate(self, longitude, latitude):
        from rasterio.transform import rowcol
        from rasterio.warp import transform

        if longitude is None or latitude is None:
            return None
        if self.heights is None:
            self.open()
        (x,), (y,) = transform(DEGREES, DUTCH_GRID, [longitude], [latitude])
        row, column = rowcol(self.affine, x, y)
        rows, columns = self.heights.shape
        if not (0 <= row < rows and 0 <= column < columns) or self.nothing[row, column]:
            return None
        return float(self.heights[row, column])


@annotate("string->binary")
class GeoTiff:
    def evaluate(self, text):
        from rasterio.io import MemoryFile

        if text is None:
            return None
        # A MemoryFile reads the bytes where they are, so it is kept for as long as its raster is.
        with MemoryFile(text.encode("ascii"), ext=".asc") as memory, memory.open() as grid, MemoryFile() as result:
            profile = {**grid.profile, "driver": "GTiff", "crs": DUTCH_GRID, "compress": "deflate"}
            with result.open(**profile) as tiff:
                tiff.write(grid.read())
            return bytes(result.getbuffer())


@annotate("binary->double")
class Mean:
    def evaluate(self, tile):
        from rasterio.io import MemoryFile

        if tile is None:
            return None
        with MemoryFile(bytes(tile)) as memory, memory.open() as raster:
            return float(raster.read(1, masked=True).mean())
