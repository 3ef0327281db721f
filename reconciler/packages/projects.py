"""
Projects of the package index by the names that their modules are imported by.

Gathered from the projects' own pages; most of the others have one name for both, which is a guess here and is said to be one.
"""

from __future__ import annotations

from types import MappingProxyType

_OTHERWISE = {
    "attrs": "attr",
    "beautifulsoup4": "bs4",
    "dnspython": "dns",
    "enum34": "enum",
    "faiss-cpu": "faiss",
    "future": "builtins past",
    "futures": "concurrent",
    "GDAL": "osgeo",
    "GitPython": "git",
    "grpcio": "grpc",
    "imbalanced-learn": "imblearn",
    "importlib-metadata": "importlib_metadata",
    "importlib-resources": "importlib_resources",
    "matplotlib": "mpl_toolkits pylab",
    "mysqlclient": "MySQLdb",
    "opencv-python": "cv2",
    "Pillow": "PIL",
    "psycopg2-binary": "psycopg2",
    "pycryptodome": "Crypto",
    "PyJWT": "jwt",
    "PyMuPDF": "fitz",
    "PyNaCl": "nacl",
    "pyOpenSSL": "OpenSSL",
    "PyWavelets": "pywt",
    "pyserial": "serial",
    "python-dateutil": "dateutil",
    "python-docx": "docx",
    "python-dotenv": "dotenv",
    "python-Levenshtein": "Levenshtein",
    "python-magic": "magic",
    "python-pptx": "pptx",
    "python-slugify": "slugify",
    "python-snappy": "snappy",
    "PyYAML": "yaml",
    "pyzmq": "zmq",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "setuptools": "distutils pkg_resources",
    "typing-extensions": "typing_extensions",
    "umap-learn": "umap",
    "websocket-client": "websocket",
}
"""Project → names of modules that it has and that are not its own."""

_SAME = (
    "attrs certifi cffi chardet charset_normalizer click cloudpickle colorama configparser cycler cython decorator flask"
    " funcsigs gevent greenlet h5py idna ipaddress jinja2 joblib jsonschema kiwisolver llvmlite lxml markupsafe matplotlib"
    " mock msgpack networkx nose numba numpy packaging pandas pathlib2 psutil py pyarrow pycparser pyparsing pytest pytz"
    " regex requests scandir scipy setuptools simplejson six sympy threadpoolctl tqdm typing tzdata tzlocal ujson urllib3"
    " wheel wrapt xgboost zipp"
)
"""Names by which a project is both imported and asked for."""

PROJECTS = MappingProxyType({module: project for project, names in _OTHERWISE.items() for module in names.split()})


def requirement_of(module: str, version: tuple[int, int]) -> str | None:
    """Return what to require for a module in a version of Python; None where that is not known."""
    if module == "pkg_resources" and version >= (3, 9):
        return "setuptools<82"  # 82.0.0 brings it no more [looked into the wheels of 81.0.0 and 82.0.0]
    return PROJECTS.get(module, module if module in _SAME.split() else None)
