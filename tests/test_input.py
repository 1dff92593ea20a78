# SPDX-License-Identifier: 0BSD
"""Bad input: one table for all three servers, so that their copies of the same tools behave alike."""
import concurrent.futures
import json
import random
import re
import select
import socket

import pytest
from conftest import Kit, pre, run_all

NOT_JSON = "Data yang dikirim bukan JSON yang valid."
NOT_A_FORM = "Formulir yang dikirim tidak valid."
NO_FIELD = "Isian nama tidak ada di data yang dikirim."
LENGTH = "Content-Length tidak valid."
TOO_LARGE = "Data yang dikirim terlalu besar (maksimal 1.000.000 byte)."
TOO_LARGE_TO_SEND = "Data terlalu besar untuk dikirim ke Server %d (%s)."
INCOMPLETE = "Data yang dikirim tidak lengkap."
FORBIDDEN = "Permintaan dari situs lain ditolak."
EMPTY = {1: NO_FIELD, 2: NOT_JSON, 3: NOT_JSON}  # what is said of no body at all
FORM = "application/x-www-form-urlencoded"

BODIES = [  # what is posted to Server 2 and 3 instead of JSON: each is 400, NOT_JSON
    b"", b"{", b'{"nama":', b'{"nama":"Budi"', b'{"nama":"Budi"} x', b'{"nama":"Budi"}{}', b"{'nama':'Budi'}",
    b"nama=Budi", b"NaN", b"Infinity", b"-Infinity", b'{"a":NaN}', b"1e400", b"-1e400", b"[1e999]",
    b"[" * 20000, b"[" * 20000 + b"]" * 20000, b'{"a":' * 20000, b'{"a":' * 20000 + b"1" + b"}" * 20000,
    b"\xff", b'"\xff"', b'{"nama":"\xc3("}', b'"\xed\xa0\x80"', '{"nama":"Budi"}'.encode("utf-16"),
    '{"nama":"Budi"}'.encode("utf-16-le"), '{"nama":"Budi"}'.encode("utf-32"), b"\xef\xbb\xbf{}",
    b"\0", b'{"nama":"\0"}', b'{"nama":"Budi"}\0', b'"a\nb"', b"<?xml version='1.0'?>", b"undefined",
]
FORMS = [  # what is posted to Server 1 instead of a form with a name
    (b"", NO_FIELD), (b"&", NO_FIELD), (b"&" * 100000, NO_FIELD), (b"Nama=Budi", NO_FIELD),
    (b"=Budi", NO_FIELD), (b'{"nama":"Budi"}', NO_FIELD), (b"nama[]=Budi", NO_FIELD), (b"\0", NO_FIELD),
    (b"nama=%ff", NOT_A_FORM), (b"nama=\xff", NOT_A_FORM), (b"nama=%ED%A0%80", NOT_A_FORM),
    (b"x=%ff&nama=Budi", NOT_A_FORM),
]
HEADS = [  # the header of a POST that has no body: status, and message (None: http.server's own)
    ("", 400, EMPTY),
    ("Content-Length: 0", 400, EMPTY),
    ("Content-Length:", 400, LENGTH),
    ("Content-Length: x", 400, LENGTH),
    ("Content-Length: 1e3", 400, LENGTH),
    ("Content-Length: 0x10", 400, LENGTH),
    ("Content-Length: 2.0", 400, LENGTH),
    ("Content-Length: +2", 400, LENGTH),
    ("Content-Length: 1_0", 400, LENGTH),
    ("Content-Length: \xb2", 400, LENGTH),
    ("Content-Length: 0\r\nContent-Length: 3", 400, EMPTY),  # the first counts
    ("Content-Length: -1", 400, LENGTH),
    ("Transfer-Encoding: chunked", 400, LENGTH),
    ("Transfer-Encoding: chunked\r\nContent-Length: 2", 400, LENGTH),
    ("Content-Length: 1000001", 413, TOO_LARGE),
    ("Content-Length: 99999999999999999999", 413, TOO_LARGE),
    ("Content-Length: " + "9" * 60000, 413, TOO_LARGE),
    ("Content-Length: 2" + "\r\nX: y" * 500, 431, None),
    ("Content-Length: 2\r\nX: " + "y" * 70000, 431, None),
]
LINES = [  # a request line, and the status (None: no status line, as HTTP/0.9 has none)
    (b"PUT %s HTTP/1.1", 501), (b"OPTIONS %s HTTP/1.0", 501), (b"post %s HTTP/1.1", 501),
    (b"GET /%s HTTP/1.1" % (b"a" * 70000), 414), (b"GET %s HTTP/2.0", None), (b"GET %s HTTP/x", None),
    (b"GET %s HTTP/1.1 more", None), (b"POST %s", None), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", None),
    (b"\xff\xfe\x00", None), (b"'\"\\%s", None), (b"<script>", None),
]


SILENT = [b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST %s HTTP/1.1\r\nContent-Length: 50\r\n\r\nnama=Bu"]


@pytest.fixture(scope="module", autouse=True)
def silent(tmp_path_factory):
    """(a Kit, {(number, how a request begins): Future of the answer}) of clients that send no more than that.

    A server waits 10 seconds for them; the other tests run meanwhile.
    """
    kit = Kit(tmp_path_factory.mktemp("silent"))
    try:
        kit.start()
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            yield kit, {(number, start): pool.submit(kit.raw, number, start.replace(b"%s", run_all.PATHS[number].encode()))
                        for number in run_all.PATHS for start in SILENT}
    finally:
        kit.stop()


def request(number, body, *headers):
    """The bytes of a POST to the server with this number. headers: instead of the right ones."""
    headers = headers or ("Content-Type: " + FORM, "Content-Length: %d" % len(body))
    head = "\r\n".join(("POST %s HTTP/1.1" % run_all.PATHS[number],) + headers)
    return head.encode("latin-1") + b"\r\n\r\n" + body


def read(number, answer, form=True):
    """(status or None, message) of an error in the server's own format; for Server 1 its form must be there."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1.0 (\d+) ", head)
    if number == 1:
        page = body.decode()
        assert '<html lang="id">' in page and ('<input type="text" name="nama"' in page) == form
        message = pre(page)
    else:
        error = json.loads(body.decode())
        assert list(error) == ["status", "message"] and error["status"] == "error"
        message = error["message"]
    return int(found.group(1)) if found else None, message


def check_that_all_is_well(kit):
    """Nothing has been logged, nobody crashed, and the next honest name goes through."""
    assert kit.lines() == []
    assert kit.send("Budi") == (200, '{"status":"success","data":{"nama":"Budi"}}')
    assert kit.lines() == [b'{"nama":"Budi"}']
    assert "Traceback" not in kit.output()
    assert [line for line in kit.output().splitlines() if not re.match("Server [123] [ -~]{1,500}$", line)] == []


@pytest.mark.parametrize("number", [2, 3])
def test_a_body_that_is_no_json_is_answered_with_400(chain, number):
    for body in BODIES:
        assert (body[:40], read(number, chain.raw(number, request(number, body)))) == (body[:40], (400, NOT_JSON))
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number", [2, 3])
def test_json_that_is_nested_as_deep_as_can_just_be_read_is_no_traceback(chain, number):
    said = {200: b'"data":[' if number == 2 else b'"logged"', 400: NOT_JSON.encode(), 502: NOT_JSON.encode()}
    statuses = []
    for depth in range(900, 1050):
        answer = chain.raw(number, request(number, b"[" * depth + b"]" * depth))
        statuses.append(int(answer[9:12]))
        assert said[statuses[-1]] in answer
    assert statuses == sorted(statuses)
    assert "Traceback" not in chain.output()


def test_what_grows_beyond_the_limit_on_its_way_is_not_sent(chain):
    letters = ("\u00e9" * 400000).encode()  # 2 bytes each; as JSON 6
    for number, body in [(1, b"nama=" + letters), (1, b"nama=" + b"x" * 999990), (2, b'"' + letters + b'"')]:
        answer = chain.raw(number, request(number, body))
        assert read(number, answer) == (413, TOO_LARGE_TO_SEND % (number + 1, chain.url(number + 1)))
    check_that_all_is_well(chain)


def test_what_just_fits_is_sent(chain):
    name = "x" * (1000000 - len('{"nama":""}'))
    assert chain.send(name) == (200, '{"status":"success","data":{"nama":"%s"}}' % name)
    assert chain.lines() == [b'{"nama":"%s"}' % name.encode()]


@pytest.mark.parametrize("number", [2, 3])
def test_a_get_with_a_body_is_taken_as_by_php(chain, number):
    for body, said in [(b'{"nama":"Budi"}', b'"data":{"nama":"Budi"}' if number == 2 else b'"logged"'), (b"{", b"bukan JSON")]:
        head = "GET %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % (run_all.PATHS[number], len(body))
        assert said in chain.raw(number, head.encode() + body)
    assert chain.lines() == [b'{"nama":"Budi"}']


def test_a_form_without_a_name_is_answered_with_400(chain):
    for body, message in FORMS:
        assert (body[:40], read(1, chain.raw(1, request(1, body)))) == (body[:40], (400, message))
    check_that_all_is_well(chain)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "text/plain", "application/json", "x", ""])
def test_a_form_of_another_type_is_answered_with_400(chain, content_type):
    answer = chain.raw(1, request(1, b"nama=Budi", "Content-Type: " + content_type, "Content-Length: 9"))
    assert read(1, answer) == (400, NOT_A_FORM)
    assert read(1, chain.raw(1, request(1, b"nama=Budi", "Content-Length: 9"))) == (400, NOT_A_FORM)
    check_that_all_is_well(chain)


def test_a_form_may_name_its_type_at_length(chain):
    head = "Content-Type: Application/x-www-form-urlencoded; charset=UTF-8"
    assert chain.raw(1, request(1, b"nama=Budi", head, "Content-Length: 9")).startswith(b"HTTP/1.0 200 ")


def test_of_two_names_the_last_counts_as_in_php(chain):
    assert pre(chain.post(1, b"nama=Ani&x=1&nama=Budi")[1]) == '{"status":"success","data":{"nama":"Budi"}}'
    assert pre(chain.post(1, b"nama")[1]) == '{"status":"success","data":{"nama":""}}'


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_wrong_header_is_answered_with_its_status(chain, number):
    for head, status, message in HEADS:
        answer = chain.raw(number, request(number, b"", "Content-Type: " + FORM, *head.split("\r\n")))
        code, said = read(number, answer, form=message is not None)
        assert (head[:40], code) == (head[:40], status)
        assert said == (message[number] if message == EMPTY else message or "Kesalahan HTTP %d" % status)
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("head", ["boundary*=idna'en'foo", "boundary*=\0'en'foo", "boundary*=a; boundary*1=b"])
def test_a_header_that_python_cannot_read_is_no_traceback(chain, number, head):
    assert chain.raw(number, request(number, b"", "Content-Type: multipart/x; " + head)) == b""
    assert "permintaan tidak valid" in chain.output(number)
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_is_sent_beyond_the_limit_is_not_read(chain, number):
    for _ in range(5):
        answer = chain.raw(number, request(number, b"x" * 9000000))
        assert answer == b"" or read(number, answer) == (413, TOO_LARGE)  # cut off, as it stops reading
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_page_of_another_site_can_write_nothing(chain, number):
    right = ("Content-Type: " + FORM, "Content-Length: 9")
    body = b"nama=Budi" if number == 1 else b'["Budi" ]'
    for value, status in [("cross-site", 403), ("same-origin", 200), ("same-site", 200), ("none", 200)]:
        answer = chain.raw(number, request(number, body, "Sec-Fetch-Site: " + value, *right))
        assert answer.startswith(b"HTTP/1.0 %d " % status)
        if status == 403:
            assert read(number, answer) == (403, FORBIDDEN)
            assert chain.lines() == []
    get = "GET %s HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\n\r\n" % run_all.PATHS[number]
    assert chain.raw(number, get.encode()).startswith(b"HTTP/1.0 200 ")  # a link on another site


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("path, status", [("/x", 404), (None, 403)])
def test_a_request_that_is_refused_is_read_first_or_its_answer_could_be_cut_off(chain, number, path, status):
    head = "POST %s HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 900000\r\n\r\n" % (
        path or run_all.PATHS[number])
    with socket.create_connection(("127.0.0.1", chain.ports[number]), timeout=15) as connection:
        connection.sendall(head.encode() + b"x" * 899999)
        assert select.select([connection], [], [], 0.5)[0] == []  # no answer yet
        connection.sendall(b"x")
        with connection.makefile("rb") as answer:
            assert read(number, answer.read())[0] == status
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_wrong_request_line_is_answered_in_the_servers_own_format(chain, number):
    for line, status in LINES:
        line = line.replace(b"%s", run_all.PATHS[number].encode())
        code, message = read(number, chain.raw(number, line + b"\r\n\r\n", end=True), form=False)
        assert (line[:40], code) == (line[:40], status)
        assert re.match(r"Kesalahan HTTP \d+$", message)
    own = chain.raw(number, b"PUT %s HTTP/1.1\r\n\r\n" % run_all.PATHS[number].encode())
    assert (b"Content-Type: text/html" if number == 1 else b"Content-Type: application/json") in own
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_head_is_answered_without_a_body(chain, number):
    answer = chain.raw(number, b"HEAD %s HTTP/1.1\r\n\r\n" % run_all.PATHS[number].encode())
    assert answer.startswith(b"HTTP/1.0 501 ") and answer.endswith(b"\r\n\r\n")
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_unknown_path_is_answered_with_404(chain, number):
    right = chain.url(1) if number == 1 else run_all.PATHS[number]
    message = "Alamat tidak ditemukan di Server %d. Gunakan %s." % (number, right)
    for path in (b"/x", b"//", b"/..", b"/favicon.ico", b"*", b"http://[/", run_all.PATHS[number].encode() + b"/x"):
        for method in (b"GET", b"POST"):
            answer = chain.raw(number, b"%s %s HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}" % (method, path))
            if path != b"//" or number != 1:  # newer Pythons take // for /
                assert (path, read(number, answer)) == (path, (404, message))
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number, paths", [(1, "/ /index.php /?a=1 /index.php?nama=x"), (2, "/api.php /api.php?a=/b?c"),
                                           (3, "/log.php /log.php?")])
def test_a_query_string_is_ignored(chain, number, paths):
    for path in paths.split():
        assert chain.raw(number, b"GET %s HTTP/1.1\r\n\r\n" % path.encode()).startswith(b"HTTP/1.0 200 ")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_body_that_ends_too_early_is_not_taken(chain, number):
    for body in (b"nama=Bu", b'{"nama":"Budi"}', b"12"):
        answer = chain.raw(number, request(number, body, "Content-Type: " + FORM, "Content-Length: 50"), end=True)
        assert read(number, answer) == (400, INCOMPLETE)
    check_that_all_is_well(chain)


def test_who_is_silent_is_hung_up_on_and_told_why_if_his_data_is_missing(silent):
    kit, answers = silent
    for (number, start), answer in answers.items():
        if start == SILENT[-1]:
            assert read(number, answer.result(timeout=30)) == (400, INCOMPLETE)
        else:
            assert answer.result(timeout=30) == b""
    check_that_all_is_well(kit)


def test_a_few_hundred_mutations_of_an_honest_request_bring_no_server_down(chain):
    chance = random.Random(2026)
    accepted = 0
    for number in (2, 3) * 150:
        data = bytearray(request(number, b'{"nama":"Budi"}'))
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(data))
            change = chance.choice(["set", "cut", "double", "insert"])
            if change == "set":
                data[place] = chance.randrange(256)
            elif change == "cut":
                del data[place:place + chance.randint(1, 9)]
            elif change == "double":
                data[place:place] = data[place:place + chance.randint(1, 50)]
            else:
                data[place:place] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 5)))
        answer = chain.raw(number, bytes(data), end=True)
        success = (b'"status":"success"' if number == 2 else b'"status":"logged"') in answer
        accepted += success and answer.startswith(b"HTTP/1.0 200") and b" aktif" not in answer
        assert success or answer == b"" or json.loads(answer.rpartition(b"\r\n\r\n")[2].decode())["status"] == "error"
    assert len(chain.lines()) == accepted
    assert chain.send("Budi")[0] == 200
    assert "Traceback" not in chain.output()
