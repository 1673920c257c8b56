"""Downloads, copies, archives and windows as loops: sockets and files are freed in time."""

from __future__ import annotations

import csv
import ftplib
import io
import itertools
import os
import queue
import random
import shutil
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from screen import new_display

import pullit
from pullit import PullError, from_callback, iterate
from pullit._types import Engine

BIG = 64 << 20  # bytes: more than any socket's buffers hold


# ftplib against pyftpdlib


class FTPSite:
    """An FTP server on loopback, and how many bytes it sent of each file."""

    def __init__(self, root: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.11 calls its asyncore deprecated
            authorizers = pytest.importorskip("pyftpdlib.authorizers")
            handlers = pytest.importorskip("pyftpdlib.handlers")
            servers = pytest.importorskip("pyftpdlib.servers")
        self.sent: list[tuple[str, int]] = []
        self.cut: list[tuple[str, int]] = []  # when the client left before the end
        authorizer = authorizers.DummyAuthorizer()
        authorizer.add_anonymous(str(root))
        handler: Any = type("Handler", (handlers.FTPHandler,), {"authorizer": authorizer})
        handler.on_file_sent = self.note(self.sent)
        handler.on_incomplete_file_sent = self.note(self.cut)
        self.server = servers.FTPServer(("127.0.0.1", 0), handler)
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self.serve)

    def note(self, log: list[tuple[str, int]]) -> Callable[[Any, str], None]:
        return lambda handler, path: log.append(
            (Path(path).name, handler.data_channel.tot_bytes_sent)
        )

    def admit(self, client: ftplib.FTP) -> None:
        """Connect *client*, and log it in."""
        host, port = self.server.address[:2]
        client.connect(host, port, timeout=10)
        client.login()

    def serve(self) -> None:
        while not self.closing.is_set():
            self.server.serve_forever(timeout=0.01, blocking=False)
        self.server.close_all()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FTPSite]:
    """An FTP server with a file of lines and one of 64 MiB."""
    root = tmp_path_factory.mktemp("site")
    (root / "lines").write_text("".join(f"line {n}\n" for n in range(100)))
    with (root / "big").open("wb") as big:
        big.truncate(BIG)  # no block of it is stored
    site = FTPSite(root)
    site.thread.start()
    yield site
    site.closing.set()
    site.thread.join()


@pytest.fixture
def ftp(site: FTPSite) -> Iterator[ftplib.FTP]:
    """A client that is logged in."""
    site.sent.clear()
    site.cut.clear()
    with ftplib.FTP() as client:
        site.admit(client)
        yield client


def test_ftp_lines_arrive_in_order(ftp: ftplib.FTP, engine: Engine) -> None:
    """retrlines gives each line, and its result is the server's last word."""
    it = iterate(from_callback(lambda cb: ftp.retrlines("RETR lines", cb)), engine=engine)
    assert list(it) == [f"line {n}" for n in range(100)]
    assert it.result.startswith("226")


def test_ftp_blocks_make_the_file(ftp: ftplib.FTP, engine: Engine) -> None:
    """retrbinary gives blocks; several transfers follow each other on a connection."""
    for blocksize in 7, 8192:
        blocks = list(
            iterate(
                from_callback(lambda cb: ftp.retrbinary("RETR lines", cb, blocksize)),
                engine=engine,
            )
        )
        assert max(map(len, blocks)) <= blocksize
        assert b"".join(blocks).splitlines() == [b"line %d" % n for n in range(100)]


def test_ftp_sends_no_more_than_the_loop_takes(
    site: FTPSite, ftp: ftplib.FTP, engine: Engine
) -> None:
    """While the loop is busy nothing is read; when it ends, the data connection is closed."""
    seq = from_callback(lambda cb: ftp.retrbinary("RETR big", cb, 8192))
    with iterate(seq, engine=engine) as it:
        assert sum(map(len, itertools.islice(it, 3))) <= 3 * 8192
        assert it.frame is not None
        data = it.frame.f_locals["conn"]
        assert data.fileno() >= 0
    assert data.fileno() == -1
    # The server's word on it is still to be read, before the next command.
    with pytest.raises(ftplib.error_temp, match="426"):
        ftp.voidresp()
    assert sorted(ftp.nlst()) == ["big", "lines"]
    assert site.sent == []
    assert [name for name, _ in site.cut] == ["big"]
    assert site.cut[0][1] < BIG


def test_ftp_is_left_with_the_error_of_the_loop(
    site: FTPSite, ftp: ftplib.FTP, engine: Engine
) -> None:
    """The data connection is closed all the same."""
    seq = from_callback(lambda cb: ftp.retrbinary("RETR big", cb))
    with pytest.raises(ZeroDivisionError) as raised, iterate(seq, engine=engine) as it:
        for block in it:
            _ = len(block) / 0
    assert raised.value.__context__ is None
    with pytest.raises(ftplib.error_temp, match="426"):
        ftp.voidresp()
    ftp.voidcmd("NOOP")
    assert [name for name, _ in site.cut] == ["big"]


def test_ftp_errors_arrive_at_the_first_next(ftp: ftplib.FTP, engine: Engine) -> None:
    """And the connection is good for another try."""
    it = iterate(from_callback(lambda cb: ftp.retrlines("RETR missing", cb)), engine=engine)
    with pytest.raises(ftplib.error_perm, match="550"):
        next(it)
    assert list(it) == []
    assert len(list(iterate(from_callback(lambda cb: ftp.retrlines("RETR lines", cb))))) == 100


def test_two_ftp_downloads_are_read_in_lockstep(site: FTPSite) -> None:
    """Each on its own connection, and a third one that lists the folder meanwhile."""

    def lines(client: ftplib.FTP) -> pullit.PullIterator[str]:
        site.admit(client)
        run = lambda cb: client.retrlines("RETR lines", cb)
        return iterate(from_callback(run, interleave=True))

    with ftplib.FTP() as a, ftplib.FTP() as b, ftplib.FTP() as c:
        site.admit(c)
        with lines(a) as left, lines(b) as right:
            for n, pair in enumerate(zip(left, right, strict=True)):
                assert pair == (f"line {n}", f"line {n}")
                if n == 50:
                    assert sorted(c.nlst()) == ["big", "lines"]


# pycurl against http.server


class Site(ThreadingHTTPServer):
    """An HTTP server on loopback, and how many bytes it had written when a client left."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.cut: queue.SimpleQueue[int] = queue.SimpleQueue()


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        written, block = 0, bytes(1 << 20)
        try:
            while written < (BIG if self.path == "/big" else len(block)):
                written += self.wfile.write(block)
        except ConnectionError:
            assert isinstance(self.server, Site)
            self.server.cut.put(written)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the terminal."""


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    """An HTTP server that gives 1 MiB, /big 64 MiB, and has nothing /missing."""
    site = Site()
    thread = threading.Thread(target=site.serve_forever, args=(0.01,))
    thread.start()
    yield site
    site.shutdown()
    thread.join()
    site.server_close()  # waits for its threads


@pytest.fixture
def pycurl() -> ModuleType:
    """The module, if it is there."""
    module: ModuleType = pytest.importorskip("pycurl")
    return module


class Download:
    """A download by pycurl: called with a callback, it gives it what arrives."""

    def __init__(self, pycurl: ModuleType, url: str) -> None:
        self.curl = pycurl.Curl()
        self.curl.setopt(pycurl.URL, url)
        self.curl.setopt(pycurl.FAILONERROR, True)
        self.curl.setopt(pycurl.NOPROXY, "*")
        self.pycurl = pycurl
        self.closed = False

    def __call__(self, callback: Callable[[bytes], Any]) -> int:
        self.curl.setopt(self.pycurl.WRITEFUNCTION, callback)
        try:
            self.curl.perform()
            code: int = self.curl.getinfo(self.pycurl.RESPONSE_CODE)
            return code
        finally:
            self.curl.close()
            self.closed = True


def url(web: Site, path: str = "/") -> str:
    return f"http://127.0.0.1:{web.server_port}{path}"


def test_curl_gives_what_arrives(pycurl: ModuleType, web: Site, engine: Engine) -> None:
    """The callback answers None, by which libcurl understands that all was taken."""
    it = iterate(from_callback(Download(pycurl, url(web))), engine=engine)
    blocks = list(it)
    assert len(blocks) > 1
    assert b"".join(blocks) == bytes(1 << 20)
    assert it.result == 200


def test_curl_is_unwound_by_the_exit(pycurl: ModuleType, web: Site, engine: Engine) -> None:
    """PullExit passes through libcurl, and the server sees the connection break."""
    download = Download(pycurl, url(web, "/big"))
    with iterate(from_callback(download), engine=engine) as it:
        assert len(next(it)) > 0
        assert not download.closed
    assert download.closed
    assert web.cut.get(timeout=10) < BIG


def test_curl_is_stopped_by_its_reply(
    pycurl: ModuleType, web: Site, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    """0 says that nothing was taken; the error that reports it is named, and swallowed."""
    download = Download(pycurl, url(web, "/big"))
    seq = from_callback(download, stop_reply=0, stop_errors=(pycurl.error,))
    with iterate(seq, engine=engine) as it:
        next(it)
    assert download.closed
    assert web.cut.get(timeout=10) < BIG
    assert capfd.readouterr().err == ""


def test_curl_tells_of_its_stop_if_nobody_has_named_the_error(
    pycurl: ModuleType, web: Site, engine: Engine
) -> None:
    """It might be any error: close raises it."""
    it = iterate(from_callback(Download(pycurl, url(web, "/big")), stop_reply=0), engine=engine)
    next(it)
    with pytest.raises(pycurl.error, match="Failure writing"):
        it.close()
    assert web.cut.get(timeout=10) < BIG


def test_curl_errors_arrive_at_the_loop(pycurl: ModuleType, web: Site, engine: Engine) -> None:
    """Those that it was told to swallow when stopped, too."""
    seq = from_callback(
        Download(pycurl, url(web, "/missing")), stop_reply=0, stop_errors=(pycurl.error,)
    )
    with pytest.raises(pycurl.error, match="404"):
        next(iterate(seq, engine=engine))


def test_curl_swallows_an_error_of_pack_but_the_loop_gets_it(
    pycurl: ModuleType, web: Site, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    """libcurl knows only that the write failed: its error has ours as context."""

    def decode(block: bytes) -> str:
        return block[:1].decode("utf-16")  # which takes two

    it = iterate(from_callback(Download(pycurl, url(web)), pack=decode), engine=engine)
    with pytest.raises(pycurl.error, match="Failure writing") as raised:
        next(it)
    assert isinstance(raised.value.__context__, UnicodeDecodeError)
    assert "UnicodeDecodeError" in capfd.readouterr().err  # pycurl prints it


# shutil.copytree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with five files, one of them in a folder."""
    (tmp_path / "from" / "sub").mkdir(parents=True)
    for name in ("a", "b", "c", "d", "sub/e"):
        (tmp_path / "from" / name).write_text(name)
    return tmp_path


def names(folder: Path) -> set[str]:
    """Return the files under *folder*."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def copy(tree: Path) -> Callable[[Callable[..., Any]], str]:
    """Return a function that copies the tree's files by a function that it is given."""
    return lambda copy_function: str(
        shutil.copytree(tree / "from", tree / "to", copy_function=copy_function)
    )


def test_copytree_copies_as_the_loop_goes_on(tree: Path, engine: Engine) -> None:
    """The reply is made when the loop asks for the next file: not before."""
    it = iterate(from_callback(copy(tree), reply=shutil.copy2), engine=engine)
    for count, (source, target) in enumerate(it):
        assert os.path.basename(source) == os.path.basename(target)
        assert len(names(tree / "to")) == count
        assert not os.path.exists(target)
    assert names(tree / "to") == names(tree / "from")
    assert it.result == str(tree / "to")


def test_copytree_stops_where_the_loop_breaks(tree: Path, engine: Engine) -> None:
    """What was copied stays, and nothing more comes."""
    copied = set[str]()
    with iterate(from_callback(copy(tree), reply=shutil.copy2), engine=engine) as it:
        for _, target in it:
            if len(copied) == 2:
                break
            copied.add(os.path.relpath(target, tree / "to"))
    assert names(tree / "to") == copied


def test_copytree_leaves_out_what_the_loop_says(tree: Path, engine: Engine) -> None:
    """What is sent takes the place of the reply, here: no copy."""
    it = iterate(from_callback(copy(tree), reply=shutil.copy2), engine=engine)
    source, target = next(it)
    left_out = os.path.relpath(source, tree / "from")
    it.send(target)
    list(it)
    assert names(tree / "to") == names(tree / "from") - {left_out}


def test_copytree_asks_the_loop_what_to_ignore(tree: Path, engine: Engine) -> None:
    """Once for each folder: its names are asked, and the ones to ignore are told."""
    it = iterate(
        from_callback(lambda cb: shutil.copytree(tree / "from", tree / "to", ignore=cb)),
        engine=engine,
    )
    folder, inside = next(it)
    assert (folder, sorted(inside)) == (str(tree / "from"), ["a", "b", "c", "d", "sub"])
    assert it.send({"a", "b"}) == (str(tree / "from" / "sub"), ["e"])
    with pytest.raises(StopIteration):
        it.send(())
    assert names(tree / "to") == {"c", "d", "sub/e"}


def test_copytree_goes_on_after_an_error_that_is_thrown_in(tree: Path, engine: Engine) -> None:
    """It collects the OSErrors of its files, and raises them together at the end."""
    it = iterate(from_callback(copy(tree), reply=shutil.copy2), engine=engine)
    source, _ = next(it)
    it.throw(PermissionError("not this one"))
    with pytest.raises(shutil.Error, match="not this one") as raised:
        list(it)
    assert [entry[0] for entry in raised.value.args[0]] == [source]
    assert len(names(tree / "to")) == 4


def test_copytree_is_left_with_the_error_of_the_loop(tree: Path, engine: Engine) -> None:
    """It is no OSError, so copytree has no part in it."""
    seq = from_callback(copy(tree), reply=shutil.copy2)
    with pytest.raises(ZeroDivisionError), iterate(seq, engine=engine) as it:
        for _ in it:
            _ = 1 / 0
    assert names(tree / "to") == set()


# zipfile and csv: sinks as sources


def sink(write: Callable[[Any], Any]) -> Any:
    """Return the least that zipfile and csv write to."""
    return SimpleNamespace(write=write, flush=lambda: None)


def zip_run(
    sources: dict[str, io.BytesIO], compression: int = zipfile.ZIP_STORED
) -> Callable[[Callable[[bytes], Any]], None]:
    """Return a function that archives *sources*, and closes each that it has read."""

    def run(callback: Callable[[bytes], Any]) -> None:
        with zipfile.ZipFile(sink(callback), "w", compression) as archive:
            for name, source in sources.items():
                with source, archive.open(name, "w") as entry:
                    shutil.copyfileobj(source, entry, 64 << 10)

    return run


def sources() -> dict[str, io.BytesIO]:
    """Return what to archive: text, nothing, and a megabyte that does not compress."""
    noise = random.Random(1).randbytes(1 << 20)
    return {"text": io.BytesIO(b"tea " * 999), "empty": io.BytesIO(), "noise": io.BytesIO(noise)}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_chunks_join_to_a_valid_archive(compression: int, engine: Engine) -> None:
    """zipfile must be told how much was written: the reply is len."""
    seq = from_callback(zip_run(sources(), compression), reply=len)
    chunks = [bytes(chunk) for chunk in iterate(seq, engine=engine)]
    assert len(chunks) > 16
    assert max(map(len, chunks)) <= 128 << 10
    with zipfile.ZipFile(io.BytesIO(b"".join(chunks))) as archive:
        assert archive.testzip() is None
        for name, source in sources().items():
            assert archive.read(name) == source.getvalue()


def test_zip_reads_its_sources_as_the_loop_takes_chunks(engine: Engine) -> None:
    """No more than a block ahead, and the last source is not touched before its turn."""
    files = sources()
    with iterate(from_callback(zip_run(files), reply=len), engine=engine) as it:
        taken = 0
        while taken < 256 << 10:
            taken += len(next(it))
        assert files["text"].closed
        assert files["noise"].tell() <= taken + (64 << 10)
    assert files["noise"].closed


def test_zip_is_left_though_it_writes_again(engine: Engine) -> None:
    """From the exits of its with blocks: each write is refused, until all are left."""
    files = sources()
    it = iterate(from_callback(zip_run(files), reply=len), engine=engine)
    next(it)
    it.close()
    assert it.done
    assert files["text"].closed
    assert not files["noise"].closed  # its turn had not come


def test_zip_errors_of_a_source_arrive_at_the_loop(engine: Engine) -> None:
    """After the chunks before them; the archive is then finished, as zipfile does it."""
    files = sources()
    files["noise"].close()
    it = iterate(from_callback(zip_run(files), reply=len), engine=engine)
    chunks: list[bytes] = []
    with pytest.raises(ValueError, match="closed file"):
        for chunk in it:
            chunks.append(chunk)
    with zipfile.ZipFile(io.BytesIO(b"".join(chunks))) as archive:
        assert archive.read("text") == b"tea " * 999


def test_csv_gives_a_line_for_each_row(engine: Engine) -> None:
    """The rows are read one by one, as the loop takes the lines."""
    asked: list[int] = []

    def rows() -> Iterator[tuple[int, str]]:
        try:
            for n in range(1000):
                asked.append(n)
                yield n, 'say "tea"'
        finally:
            asked.append(-1)

    run = lambda cb: csv.writer(sink(cb)).writerows(rows())
    with iterate(from_callback(run, reply=len), engine=engine) as it:
        assert next(it) == '0,"say ""tea"""\r\n'
        assert asked == [0]
        next(it)
    assert asked == [0, 1, -1]
    lines = list(iterate(from_callback(run, reply=len), engine=engine))
    assert [row[0] for row in csv.reader(lines)] == [str(n) for n in range(1000)]


def test_csv_errors_arrive_at_the_loop(engine: Engine) -> None:
    """The writer's own, at the row that it cannot write."""
    rows: list[Any] = [[1], [2], 3]
    it = iterate(from_callback(lambda cb: csv.writer(sink(cb)).writerows(rows)), engine=engine)
    assert [next(it), next(it)] == ["1\r\n", "2\r\n"]
    with pytest.raises(csv.Error, match="iterable expected"):
        next(it)


# tkinter


@pytest.fixture(scope="module")
def display() -> Iterator[str | None]:
    """The name of a new X display, or None for the one that there is."""
    with new_display() as name:
        yield name


class Window:
    """A window: called with a callback, it runs tkinter's loop, and is gone after it."""

    def __init__(self, display: str | None) -> None:
        self.display = display
        self.ticks = itertools.count()

    def __call__(self, callback: Callable[[str, Any], Any]) -> str:
        import tkinter

        self.root = tkinter.Tk(screenName=self.display)
        try:
            # By default tkinter prints what a callback raises, and goes on.
            self.root.report_callback_exception = self.report
            self.root.bind("<<Order>>", lambda event: callback("order", event))
            self.callback = callback
            self.root.update()  # only a window that is shown has virtual events
            self.root.after(0, self.tick)
            self.root.mainloop()
            return "closed"
        finally:
            self.root.destroy()
            del self.root, self.callback

    def report(self, kind: object, error: BaseException, traceback: object) -> None:
        raise error

    def tick(self) -> None:
        self.callback("tick", next(self.ticks))
        self.root.after(0, self.tick)


def test_tk_events_are_a_loop(display: str | None) -> None:
    """mainloop is suspended in an event while the loop uses its window."""
    window = Window(display)
    seen = []
    with iterate(from_callback(window)) as it:
        for kind, value in it:
            seen.append(kind)
            if seen == ["tick"] * 3:
                window.root.title("tea")
                window.root.event_generate("<<Order>>", when="tail")
            if kind == "order":
                assert value.widget is window.root
                assert window.root.title() == "tea"
                break
    assert seen[:3] == ["tick"] * 3
    assert not hasattr(window, "root")


def test_tk_mainloop_returns_when_the_loop_closes_its_window(display: str | None) -> None:
    """As if the user had: nothing needs to be unwound then."""
    window = Window(display)
    it = iterate(from_callback(window))
    next(it)
    window.root.quit()
    assert list(it) == []
    assert it.result == "closed"


def test_tk_is_left_with_the_error_of_the_loop(display: str | None) -> None:
    """The window is gone before the error goes on."""
    window = Window(display)
    with pytest.raises(ZeroDivisionError), iterate(from_callback(window)) as it:
        for _ in it:
            _ = 1 / 0
    assert not hasattr(window, "root")


def test_tk_errors_of_other_callbacks_arrive_at_the_loop(display: str | None) -> None:
    """Where they are reported by raising them."""
    window = Window(display)
    it = iterate(from_callback(window))
    next(it)
    error = KeyError("no such key")
    window.root.after(0, window.report, KeyError, error, None)
    with pytest.raises(KeyError) as raised:
        list(it)
    assert raised.value is error
    assert not hasattr(window, "root")


def test_tk_refuses_an_event_that_the_loop_delivers_at_once(display: str | None) -> None:
    """It would call back in the loop itself; mainloop raises the refusal, at the next."""
    window = Window(display)
    it = iterate(from_callback(window))
    next(it)
    window.root.event_generate("<<Order>>", when="now")
    with pytest.raises(PullError, match="only the producer may call yield_"):
        next(it)
    assert not hasattr(window, "root")
