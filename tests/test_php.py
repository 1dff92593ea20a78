# SPDX-License-Identifier: 0BSD
"""What the tutorial's PHP answers, recorded from PHP 8.2; and PHP's own servers in the place of ours."""
import itertools

import pytest
from conftest import pre
from php import needs_php, start_php, stop_php

NAMES = [  # typed into the form; what comes back as "data" and goes into the log is {"nama":...} with:
    ("Budi", r'"Budi"'),
    ("Siti Nurhaliza", r'"Siti Nurhaliza"'),
    ("O'Brien \"Bob\"", r'''"O'Brien \"Bob\""'''),
    ("José Ñandú", r'"Jos\u00e9 \u00d1and\u00fa"'),
    ("李小龍", r'"\u674e\u5c0f\u9f8d"'),
    ("😀👍", r'"\ud83d\ude00\ud83d\udc4d"'),
    ("C:\\temp\\n", r'"C:\\temp\\n"'),
    ("", r'""'),
    ("0", r'"0"'),
    ("tab\there", r'"tab\there"'),
    ("line\r\nbreak", r'"line\r\nbreak"'),
    ("a+b=c&d;e", r'"a+b=c&d;e"'),
    ("\x01\u2028", r'"\u0001\u2028"'),
    ("x" * 3000, '"' + "x" * 3000 + '"'),
]
BODIES = [  # posted to Server 2 or 3; what comes back as "data" and goes into the log
    ('{"nama":"Budi"}', '{"nama":"Budi"}'),
    (' { "nama" : "Budi" }\n', '{"nama":"Budi"}'),
    ('{"nama":"é"}', r'{"nama":"\u00e9"}'),
    ("[1,2,3]", "[1,2,3]"),
    ("[]", "[]"),
    ('"teks"', '"teks"'),
    ('""', '""'),
    ("0", "0"),
    ("true", "true"),
    ("null", "null"),
    ("-1.5", "-1.5"),
    ("123456789.123456789", "123456789.12345679"),
    ('{"":1}', '{"":1}'),
    ('{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'),
    ('{"a":{"b":[true,false,null,{"c":"d"}]}}', '{"a":{"b":[true,false,null,{"c":"d"}]}}'),
]
UNLIKE_PHP = [  # wanted differences: posted, what comes back from ours
    ('"/"', '"/"'),
    ("{}", "{}"),
    ('{"0":1}', '{"0":1}'),
    ("1.0", "1.0"),
    ("12345678901234567890", "12345678901234567890"),
    ("9" * 400, "9" * 400),
    ("-" + "9" * 400, "-" + "9" * 400),
    (r'"\ud800"', r'"\ud800"'),
    (r'{"\udc00\ud800":1}', r'{"\udc00\ud800":1}'),
]
PAIRS = [("python", "python")] + [pytest.param(pair, marks=needs_php) for pair in
                                  [("python", "php"), ("php", "python"), ("php", "php")]]


@pytest.fixture
def mixture(kit):
    """A function that starts Server 1, 2 (and 3) in the languages named, and returns the Kit."""
    started = []

    def start(languages, level=4):
        for number, language in reversed(list(enumerate(languages, 1))):
            if language == "python":
                kit.start(number, level=level)
            else:
                started.append(start_php(number, level, kit.ports, kit.folder))
        return kit

    yield start
    for process in started:
        stop_php(process)


@pytest.fixture(params=["python", pytest.param("php", marks=needs_php)])
def either(request, mixture):
    """Level 4, once of our servers and once of PHP's: what is recorded is what PHP answers."""
    return mixture([request.param] * 3)


def test_a_name_comes_back_and_is_logged_as_php_does_it(either):
    for name, text in NAMES:
        assert either.send(name) == (200, '{"status":"success","data":{"nama":%s}}' % text)
    assert either.lines() == [b'{"nama":%s}' % text.encode() for _, text in NAMES]


def test_server_2_answers_json_as_php_does(either):
    for body, text in BODIES:
        assert either.post(2, body) == (200, '{"status":"success","data":%s}' % text)
    assert either.lines() == [text.encode() for _, text in BODIES]


def test_server_3_logs_json_as_php_does(either):
    for body, text in BODIES:
        assert either.post(3, body) == (200, '{"status":"logged"}')
    assert either.lines() == [text.encode() for _, text in BODIES]


def test_json_that_php_would_change_stays_as_it_came(chain):
    for body, text in UNLIKE_PHP:
        assert chain.post(2, body) == (200, '{"status":"success","data":%s}' % text)
    assert chain.lines() == [text.encode() for _, text in UNLIKE_PHP]


@needs_php
@pytest.mark.parametrize("languages", list(itertools.product(["python", "php"], repeat=3)))
def test_any_of_the_three_may_be_php(mixture, languages):
    kit = mixture(languages)
    for name, text in NAMES:
        assert kit.send(name) == (200, '{"status":"success","data":{"nama":%s}}' % text)
    assert kit.lines() == [b'{"nama":%s}' % text.encode() for _, text in NAMES]
    for body, text in BODIES:
        assert kit.post(2, body) == (200, '{"status":"success","data":%s}' % text)
    assert kit.lines()[len(NAMES):] == [text.encode() for _, text in BODIES]


@pytest.mark.parametrize("languages", PAIRS)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_levels_1_to_3_show_what_php_shows(mixture, level, languages):
    kit = mixture(languages, level)
    up = '{"status":"success","message":"Server 2 aktif"}'
    if level == 1:
        assert pre(kit.get(1)[1]) == up
        assert kit.get(2) == (200, up)
    else:
        assert pre(kit.get(1)[1]) is None
        assert kit.send("Jos\u00e9") == (200, r'{"status":"success","data":{"nama":"Jos\u00e9"}}')
        assert kit.post(2, "[1]") == (200, '{"status":"success","data":[1]}')


def test_the_api_and_the_log_say_that_they_are_up(chain):
    assert chain.get(2) == (200, '{"status":"success","message":"Server 2 aktif"}')
    assert chain.get(3) == (200, '{"status":"success","message":"Server 3 aktif"}')
    assert chain.lines() == []
