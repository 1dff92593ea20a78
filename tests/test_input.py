# SPDX-License-Identifier: 0BSD
"""Bad input: one table for all three servers, so that their copies of the same tools behave alike."""
import concurrent.futures
import json
import random
import re

import pytest
from conftest import pre

PATHS = {1: "/", 2: "/api.php", 3: "/log.php"}
NOT_JSON = "Data yang dikirim bukan JSON yang valid."
TOO_LARGE = "Data yang dikirim terlalu besar (maksimal 8.000.000 byte)."
NO_FIELD = "Field nama tidak ada di data yang dikirim."

BODIES = [  # what is posted to Server 2 and 3 instead of JSON: each is 400, NOT_JSON
    b"", b"{", b'{"nama":', b'{"nama":"Budi"', b'{"nama":"Budi"} x', b'{"nama":"Budi"}{}', b"{'nama':'Budi'}",
    b"nama=Budi", b"NaN", b"Infinity", b"-Infinity", b'{"a":NaN}', b"1e400", b"-1e400", b"[1e999]",
    b"9" * 400, b"9" * 100000, b"-" + b"9" * 400,
    b"[" * 20000, b"[" * 20000 + b"]" * 20000, b'{"a":' * 20000, b'{"a":' * 20000 + b"1" + b"}" * 20000,
    b"\xff", b'"\xff"', b'{"nama":"\xc3("}', b'"\xed\xa0\x80"', '{"nama":"Budi"}'.encode("utf-16"),
    '{"nama":"Budi"}'.encode("utf-16-le"), '{"nama":"Budi"}'.encode("utf-32"), b"\xef\xbb\xbf{}",
    b"\0", b'{"nama":"\0"}', b'{"nama":"Budi"}\0', b'"a\nb"', b'"\\ud800"', b'{"nama":"\\udc00\\ud800"}',
    b'{"\\ud800":1}', b"<?xml version='1.0'?>", b"undefined",
]
FORMS = [  # what is posted to Server 1 instead of a form with a name
    (b"", NO_FIELD), (b"&", NO_FIELD), (b"&" * 100000, NO_FIELD), (b"nama", ""), (b"Nama=Budi", NO_FIELD),
    (b"=Budi", NO_FIELD), (b'{"nama":"Budi"}', NO_FIELD), (b"nama[]=Budi", NO_FIELD), (b"\0", NO_FIELD),
    (b"nama=%ff", NOT_JSON), (b"nama=\xff", NOT_JSON), (b"nama=%ED%A0%80", NOT_JSON), (b"x=%ff&nama=Budi", NOT_JSON),
]
HEADS = [  # the header of a POST, and what follows: status and message (None: http.server's own)
    (b"", b"{}", 400, NOT_JSON),                                                  # no Content-Length
    (b"Content-Length:\r\n", b"{}", 400, NOT_JSON),
    (b"Content-Length: x\r\n", b"{}", 400, NOT_JSON),
    (b"Content-Length: 1e3\r\n", b"{}", 400, NOT_JSON),
    (b"Content-Length: 0x10\r\n", b"{}", 400, NOT_JSON),
    (b"Content-Length: 2.0\r\n", b"{}", 400, NOT_JSON),
    (b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{} ", 400, NOT_JSON),
    (b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", 400, NOT_JSON),
    (b"Content-Length: -1\r\n", b"{}", 413, TOO_LARGE),
    (b"Content-Length: 8000001\r\n", b"{}", 413, TOO_LARGE),
    (b"Content-Length: 99999999999999999999\r\n", b"{}", 413, TOO_LARGE),
    (b"Content-Length: 9000000\r\n", b" " * 9000000, 413, TOO_LARGE),
    (b"Content-Length: 2\r\n" + b"X: y\r\n" * 500, b"{}", 431, None),
    (b"Content-Length: 2\r\nX: " + b"y" * 70000 + b"\r\n", b"{}", 431, None),
]
LINES = [  # a request line, and the status (None: no status line, as HTTP/0.9 has none)
    (b"PUT %s HTTP/1.1", 501), (b"HEAD %s HTTP/1.1", 501), (b"OPTIONS %s HTTP/1.0", 501), (b"post %s HTTP/1.1", 501),
    (b"GET /%s HTTP/1.1" % (b"a" * 70000), 414), (b"GET %s HTTP/2.0", None), (b"GET %s HTTP/x", None),
    (b"GET %s HTTP/1.1 more", None), (b"POST %s", None), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", None),
    (b"\xff\xfe\x00", None), (b"'\"\\%s", None), (b"<script>", None),
]


def request(number, body, head=None):
    """The bytes of a POST to the server with this number."""
    if head is None:
        head = b"Content-Length: %d\r\n" % len(body)
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s" % (PATHS[number].encode(), head, body)


def read(number, answer):
    """(status or None, message) of an error in the server's own format; for Server 1 its form must be there."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1.0 (\d+) ", head)
    if number == 1:
        page = body.decode()
        assert '<input type="text" name="nama"' in page
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
    assert [line for line in kit.output().splitlines() if not re.match("Server [123]: [ -~]{1,500}$", line)] == []


@pytest.mark.parametrize("number", [2, 3])
def test_a_body_that_is_no_json_is_answered_with_400(chain, number):
    for body in BODIES:
        assert (body[:40], read(number, chain.raw(number, request(number, body)))) == (body[:40], (400, NOT_JSON))
    check_that_all_is_well(chain)


def test_a_name_that_is_too_large_as_json_is_no_success(chain):
    status, text = chain.send("x" * (8000000 - len("nama=")))
    assert (status, json.loads(text)["message"]) == (502, TOO_LARGE)
    check_that_all_is_well(chain)


def test_a_form_without_a_name_is_answered_with_400(chain):
    for body, message in FORMS:
        if message:
            assert (body[:40], read(1, chain.raw(1, request(1, body)))) == (body[:40], (400, message))
    check_that_all_is_well(chain)


def test_of_two_names_the_last_counts_as_in_php(chain):
    assert pre(chain.post(1, b"nama=Ani&x=1&nama=Budi")[1]) == '{"status":"success","data":{"nama":"Budi"}}'
    assert pre(chain.post(1, b"nama")[1]) == '{"status":"success","data":{"nama":""}}'


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_wrong_header_is_answered_with_its_status(chain, number):
    for head, body, status, message in HEADS:
        code, said = read(number, chain.raw(number, request(number, body, head)))
        assert (head[:40], code) == (head[:40], status)
        assert said == message if message else said
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_client_that_sends_too_much_still_gets_its_answer(chain, number):
    for _ in range(5):  # a client like urllib reads nothing before all is sent
        status, text = chain.post(number, b"nama=" + b"x" * 9000000)
        assert status == 413 and TOO_LARGE in text
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_wrong_request_line_is_answered_in_the_servers_own_format(chain, number):
    for line, status in LINES:
        line = line.replace(b"%s", PATHS[number].encode())
        answer = chain.raw(number, line + b"\r\n\r\n", end=True)
        assert (line[:40], read(number, answer)[0]) == (line[:40], status)
    check_that_all_is_well(chain)


@pytest.mark.parametrize("number, message", [
    (1, "Alamat tidak ditemukan di Server 1. Gunakan /."),
    (2, "Alamat tidak ditemukan di Server 2. Gunakan /api.php."),
    (3, "Alamat tidak ditemukan di Server 3. Gunakan /log.php."),
])
def test_an_unknown_path_is_answered_with_404(chain, number, message):
    for path in (b"/x", b"//", b"/..", b"/favicon.ico", b"*", b"http://[/", PATHS[number].encode() + b"/x"):
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
        answer = chain.raw(number, request(number, body, b"Content-Length: 50\r\n"), end=True)
        assert read(number, answer) == (400, NOT_JSON)
    check_that_all_is_well(chain)


def test_what_stays_incomplete_is_hung_up_on(chain):
    starts = [b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST %s HTTP/1.1\r\nContent-Length: 50\r\n\r\nnama=Bu"]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(chain.raw, number, start.replace(b"%s", PATHS[number].encode()))
                   for number in PATHS for start in starts]
        assert [answer.result(timeout=15) for answer in answers] == [b""] * len(answers)
    check_that_all_is_well(chain)


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
