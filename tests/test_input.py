# SPDX-License-Identifier: 0BSD
"""Bad input: each server answers it with the right code and sentence, logs nothing, and serves the next client."""
import json
import re
import select
import socket

import pytest
from conftest import FORM, pre, request, run_all, wait_until

NOT_JSON = (400, "Data yang dikirim bukan JSON yang valid.")
NO_FORM = (400, "Formulir yang dikirim tidak valid.")
NO_FIELD = (400, "Isian nama tidak ada di data yang dikirim.")
INCOMPLETE = (400, "Data yang dikirim tidak lengkap.")
LENGTH = (413, "Content-Length tidak valid, atau data terlalu besar (paling banyak 999999 byte).")
FORBIDDEN = (403, "Permintaan dari situs lain ditolak.")
TYPE = "Content-Type: " + FORM
BODIES = [  # posted to Server 2 and 3 instead of JSON: each is NOT_JSON
    b"", b"{", b'{"nama":', b'{"nama":"Budi"', b'{"nama":"Budi"} x', b'{"nama":"Budi"}{}', b"{'nama':'Budi'}",
    b"nama=Budi", b"NaN", b"Infinity", b"-Infinity", b'{"a":NaN}', b"1e400", b"-1e400", b"[1e999]",
    b"[" * 20000, b"[" * 20000 + b"]" * 20000, b'{"a":' * 20000, b'{"a":' * 20000 + b"1" + b"}" * 20000,
    b"\xff", b'"\xff"', b'{"nama":"\xc3("}', b'"\xed\xa0\x80"', '{"nama":"Budi"}'.encode("utf-16"),
    '{"nama":"Budi"}'.encode("utf-16-le"), '{"nama":"Budi"}'.encode("utf-32"), b"\xef\xbb\xbf{}",
    b"\0", b'{"nama":"\0"}', b'{"nama":"Budi"}\0', b'"a\nb"', b"<?xml version='1.0'?>", b"undefined",
]
FORMS = [  # posted to Server 1 instead of a form with a name
    (b"", NO_FIELD), (b"&", NO_FIELD), (b"&" * 100000, NO_FIELD), (b"Nama=Budi", NO_FIELD), (b"=Budi", NO_FIELD),
    (b'{"nama":"Budi"}', NO_FIELD), (b"nama[]=Budi", NO_FIELD), (b"\0", NO_FIELD), (b"nama=%ff", NO_FORM),
    (b"nama=\xff", NO_FORM), (b"nama=%ED%A0%80", NO_FORM), (b"x=%ff&nama=Budi", NO_FORM),
]
HEADS = [  # the header of a POST, and what it is answered with (a code alone: by http.server)
    (head, LENGTH) for head in [
        "Content-Length:", "Content-Length: x", "Content-Length: 1e3", "Content-Length: 0x10", "Content-Length: 2.0",
        "Content-Length: +2", "Content-Length: 1_0", "Content-Length: \xb2", "Content-Length: -1",
        "Content-Length: 1000000", "Content-Length: 99999999999999999999", "Content-Length: " + "9" * 60000,
        "Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 2"]
] + [("Content-Length: 2" + "\r\nX: y" * 500, (431, "HTTP 431")),
     ("Content-Length: 2\r\nX: " + "y" * 70000, (431, "HTTP 431"))]
LINES = [  # a request line, and the code (None: no status line, as HTTP/0.9 has none)
    (b"PUT %s HTTP/1.1", 501), (b"OPTIONS %s HTTP/1.0", 501), (b"post %s HTTP/1.1", 501),
    (b"GET /%s HTTP/1.1" % (b"a" * 70000), 414), (b"GET %s HTTP/2.0", None), (b"GET %s HTTP/x", None),
    (b"GET %s HTTP/1.1 more", None), (b"POST %s", None), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", None),
    (b"\xff\xfe\x00", None), (b"'\"\\%s", None), (b"<script>", None),
]
each_server = pytest.mark.parametrize("number", [1, 2, 3])


def error(number, answer, form=True):
    """(code or None, message) of an error in the server's own format; Server 1 shows its form, too."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    code = re.match(rb"HTTP/1.0 (\d+) ", head)
    if number == 1:
        page = body.decode()
        assert "<title>Server 1</title>" in page and ('<input type="text" name="nama"' in page) == form
        message = pre(page)
    else:
        message = json.loads(body.decode())["message"]
        assert json.loads(body.decode()) == {"status": "error", "message": message}
    assert message.isascii()
    return int(code.group(1)) if code else None, message


@pytest.fixture
def well(shared):
    """The servers; afterwards nothing has been logged, nobody crashed, and an honest name goes through."""
    before = len(shared.lines())
    yield shared
    assert len(shared.lines()) == before
    assert shared.send() == (200, '{"status":"success","data":{"nama":"Budi"}}')
    assert shared.lines()[-1] == b'{"nama":"Budi"}' and len(shared.lines()) == before + 1
    printed = shared.output()
    assert "Traceback" not in printed
    assert [line for line in printed.splitlines() if not re.match("Server [123] [ -~]{1,600}$", line)] == []


@pytest.mark.parametrize("number", [2, 3])
def test_a_body_that_is_no_json_is_refused(well, number):
    for body in BODIES:
        assert error(number, well.raw(number, request(number, body))) == NOT_JSON, body[:40]


def test_a_form_without_a_name_or_of_another_type_is_refused(well):
    for body, expected in FORMS:
        assert error(1, well.raw(1, request(1, body))) == expected, body[:40]
    for name in "multipart/form-data; boundary=x", "text/plain", "application/json", "x", "":
        assert error(1, well.raw(1, request(1, b"nama=Budi", "Content-Type: " + name, "Content-Length: 9"))) == NO_FORM
    assert error(1, well.raw(1, request(1, b"nama=Budi", "Content-Length: 9"))) == NO_FORM


@each_server
def test_a_wrong_header_is_refused(well, number):
    for head, expected in HEADS:
        answer = well.raw(number, request(number, b"", TYPE, *head.split("\r\n")))
        assert error(number, answer, form=expected[0] != 431) == expected, head[:40]
    for header in "boundary*=idna'en'foo", "boundary*=\0'en'foo", "boundary*=a; boundary*1=b":
        said = well.output(number).count("tidak dapat menjawab permintaan: ")
        assert well.raw(number, request(number, b"", "Content-Type: multipart/x; " + header)) == b""
        assert wait_until(lambda: well.output(number).count("tidak dapat menjawab permintaan: ") == said + 1)


@each_server
def test_a_wrong_request_line_is_answered_in_the_server_s_own_format(well, number):
    for line, code in LINES:
        line = line.replace(b"%s", run_all.PATHS[number].encode())
        answer = error(number, well.raw(number, line + b"\r\n\r\n", end=True), form=False)
        assert (line[:40], answer[0]) == (line[:40], code) and re.match(r"HTTP \d+$", answer[1])
    own = well.raw(number, request(number, method="PUT"))
    assert (b"Content-Type: text/html" if number == 1 else b"Content-Type: application/json") in own
    assert re.match(rb"HTTP/1.0 501 [^{<]*$", well.raw(number, request(number, method="HEAD")))


@each_server
def test_an_unknown_path_is_refused(well, number):
    expected = (404, f"Alamat tidak ditemukan di Server {number}. Gunakan {run_all.PATHS[number]}.")
    for path in ("/x", "/..", "/favicon.ico", "*", "http://[/", run_all.PATHS[number] + "/x", "/api.php/log.php"):
        for method in ("GET", "POST"):
            assert error(number, well.raw(number, request(number, b"{}", method=method, path=path))) == expected, path


@each_server
def test_a_page_of_another_site_can_write_nothing(well, number):
    body = b"nama=Budi" if number == 1 else b"{}"
    headers = [TYPE, f"Content-Length: {len(body)}", "Sec-Fetch-Site: cross-site"]
    assert error(number, well.raw(number, request(number, body, *headers))) == FORBIDDEN
    assert well.raw(number, request(number, b"", *headers[2:], method="GET")).startswith(b"HTTP/1.0 200 ")  # a link


@each_server
@pytest.mark.parametrize("path, code", [("/x", 404), (None, 403)])
def test_a_request_that_is_refused_is_read_first_or_its_answer_could_be_cut_off(well, number, path, code):
    head = request(number, b"", TYPE, "Sec-Fetch-Site: cross-site", "Content-Length: 900000", path=path)
    with socket.create_connection(("127.0.0.1", well.ports[number]), timeout=15) as connection:
        connection.sendall(head + b"x" * 899999)
        assert select.select([connection], [], [], 0.3)[0] == []  # no answer yet
        connection.sendall(b"x")
        with connection.makefile("rb") as answer:
            assert error(number, answer.read())[0] == code


@each_server
def test_a_body_that_ends_too_early_is_refused(well, number):
    for body in (b"nama=Bu", b'{"nama":"Budi"}', b"12"):
        answer = well.raw(number, request(number, body, TYPE, "Content-Length: 50"), end=True)
        assert error(number, answer) == INCOMPLETE


def test_what_grows_beyond_the_limit_on_its_way_is_not_sent(well):
    letters = ("\u00e9" * 400000).encode()  # 2 bytes each; as JSON 6
    for number, body in [(1, b"nama=" + letters), (1, b"nama=" + b"x" * 999989), (2, b'"' + letters + b'"')]:
        expected = (413, f"Data terlalu besar untuk dikirim ke Server {number + 1}.")
        assert error(number, well.raw(number, request(number, body))) == expected


def test_json_that_is_nested_as_deep_as_can_just_be_read_is_no_traceback(chain):
    for number, right in [(2, b'"data":['), (3, b'"logged"')]:
        codes = []
        for depth in range(900, 1050):
            answer = chain.raw(number, request(number, b"[" * depth + b"]" * depth))
            codes.append(int(answer[9:12]))
            assert (right if codes[-1] == 200 else NOT_JSON[1].encode()) in answer
        assert codes == sorted(codes)
    assert "Traceback" not in chain.output()


def test_what_just_fits_is_sent(chain):
    name = "x" * (999999 - len('{"nama":""}'))
    assert chain.send(name) == (200, '{"status":"success","data":{"nama":"%s"}}' % name)
    assert chain.lines() == [b'{"nama":"%s"}' % name.encode()]


def test_an_honest_request_may_look_otherwise(chain):
    success = '{"status":"success","data":{"nama":"Budi"}}'
    long = "Content-Type: Application/x-www-form-urlencoded; charset=UTF-8"
    assert pre(chain.raw(1, request(1, b"nama=Budi", long, "Content-Length: 9")).decode()) == success
    assert pre(chain.post(1, b"nama=Ani&x=1&nama=Budi")[1]) == success  # the last counts, as in PHP
    assert pre(chain.post(1, b"nama")[1]) == '{"status":"success","data":{"nama":""}}'
    for number, right in [(2, b'"data":[4]}'), (3, b'{"status":"logged"}')]:  # a GET with data is taken as PHP takes it
        assert chain.raw(number, request(number, b"[4]", "Content-Length: 3", method="GET")).endswith(right)
        assert chain.lines()[-1] == b"[4]"
    for site in ("same-origin", "same-site", "none"):
        for number, body in [(1, b"nama=Budi"), (2, b"{}"), (3, b"{}")]:
            headers = TYPE, f"Content-Length: {len(body)}", "Sec-Fetch-Site: " + site
            assert chain.raw(number, request(number, body, *headers)).startswith(b"HTTP/1.0 200 ")
    for number, paths in [(1, "/ /index.php /?a=1 /index.php?nama=x"), (2, "/api.php?a=/b?c"), (3, "/log.php?")]:
        for path in paths.split():
            assert chain.raw(number, request(number, method="GET", path=path)).startswith(b"HTTP/1.0 200 ")
