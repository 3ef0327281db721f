"""
The top-level modules of each runtime's standard library, as data.

Collected from real interpreters on Linux: 3.11.7 by ``sys.stdlib_module_names`` less what is for Windows and macOS; 3.7.16
and 2.7.18 by listing the library folder, ``lib-dynload`` and ``sys.builtin_module_names``. Test modules are left out. What
the service's own builds lack (a module whose C library was not there when it was compiled) is not published, so a name in
these tables is no promise.
"""

_PYTHON_3 = """
    __future__ _abc _ast _asyncio _bisect _blake2 _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp
    _codecs_kr _codecs_tw _collections _collections_abc _compat_pickle _compression _contextvars _crypt _csv _ctypes
    _curses _curses_panel _datetime _dbm _decimal _elementtree _functools _gdbm _hashlib _heapq _imp _io _json
    _locale _lsprof _lzma _markupbase _md5 _multibytecodec _multiprocessing _opcode _operator _osx_support _pickle
    _posixsubprocess _py_abc _pydecimal _pyio _queue _random _sha1 _sha256 _sha3 _sha512 _signal _sitebuiltins
    _socket _sqlite3 _sre _ssl _stat _string _strptime _struct _symtable _thread _threading_local _tkinter
    _tracemalloc _uuid _warnings _weakref _weakrefset abc aifc argparse array ast asynchat asyncio asyncore atexit
    audioop base64 bdb binascii bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop
    collections colorsys compileall concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes
    curses dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno
    faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext
    glob grp gzip hashlib heapq hmac html http imaplib imghdr imp importlib inspect io ipaddress itertools json
    keyword lib2to3 linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder
    multiprocessing netrc nis nntplib ntpath numbers opcode operator optparse os ossaudiodev pathlib pdb pickle
    pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile
    pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource rlcompleter runpy sched secrets
    select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3
    sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess sunau symtable sys
    sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap this threading time timeit tkinter token
    tokenize trace traceback tracemalloc tty turtle types typing unicodedata unittest urllib uu uuid venv warnings
    wave weakref webbrowser wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib
"""
"""In 3.7 and in 3.11."""

_ONLY_37 = """
    __phello__ _bootlocale _dummy_thread binhex dummy_threading formatter macpath parser symbol
"""

_ONLY_311 = """
    _aix_support _bootsubprocess _frozen_importlib _frozen_importlib_external _posixshmem _statistics _tokenize
    _typing _zoneinfo graphlib tomllib zoneinfo
"""

_PYTHON_27 = """
    BaseHTTPServer Bastion CDROM CGIHTTPServer ConfigParser Cookie DLFCN DocXMLRPCServer HTMLParser IN MimeWriter
    Queue SimpleHTTPServer SimpleXMLRPCServer SocketServer StringIO TYPES Tkinter UserDict UserList UserString
    _LWPCookieJar _MozillaCookieJar __builtin__ __future__ __main__ __phello__ _abcoll _ast _bisect _codecs
    _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _collections _csv _ctypes _curses
    _curses_panel _elementtree _functools _heapq _hotshot _io _json _locale _lsprof _md5 _multibytecodec
    _multiprocessing _osx_support _pyio _random _sha _sha256 _sha512 _socket _sqlite3 _sre _ssl _strptime _struct
    _symtable _threading_local _tkinter _warnings _weakref _weakrefset abc aifc anydbm argparse array ast asynchat
    asyncore atexit audiodev audioop base64 bdb binascii binhex bisect bsddb bz2 cPickle cProfile cStringIO calendar
    cgi cgitb chunk cmath cmd code codecs codeop collections colorsys commands compileall compiler contextlib
    cookielib copy copy_reg crypt csv ctypes curses datetime dbhash dbm decimal difflib dircache dis distutils
    doctest dumbdbm dummy_thread dummy_threading email encodings ensurepip errno exceptions fcntl filecmp fileinput
    fnmatch formatter fpformat fractions ftplib functools future_builtins gc gdbm genericpath getopt getpass gettext
    glob grp gzip hashlib heapq hmac hotshot htmlentitydefs htmllib httplib ihooks imaplib imghdr imp importlib
    imputil inspect io itertools json keyword lib2to3 linecache linuxaudiodev locale logging macpath macurl2path
    mailbox mailcap markupbase marshal math md5 mhlib mimetools mimetypes mimify mmap modulefinder multifile
    multiprocessing mutex netrc new nis nntplib ntpath numbers opcode operator optparse os os2emxpath ossaudiodev
    parser pdb pickle pickletools pipes pkgutil platform plistlib popen2 poplib posix posixfile posixpath pprint
    profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat quopri random re readline repr resource rexec
    rfc822 rlcompleter robotparser runpy sched select sets sgmllib sha shelve shlex shutil signal site smtpd smtplib
    sndhdr socket spwd sqlite3 sre sre_compile sre_constants sre_parse ssl stat statvfs string stringold stringprep
    strop struct subprocess sunau sunaudio symbol symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile
    termios textwrap this thread threading time timeit toaiff token tokenize trace traceback ttk tty turtle types
    unicodedata unittest urllib urllib2 urlparse user uu uuid warnings wave weakref webbrowser whichdb wsgiref
    xdrlib xml xmllib xmlrpclib zipfile zipimport zlib
"""

STDLIB = {
    "cp27": frozenset(_PYTHON_27.split()),
    "cp37": frozenset((_PYTHON_3 + _ONLY_37).split()),
    "cp311": frozenset((_PYTHON_3 + _ONLY_311).split()),
}
"""By runtime."""
