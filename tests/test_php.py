# SPDX-License-Identifier: 0BSD
"""What the tutorial's PHP answers, recorded from PHP 8.2; and PHP's own servers in the place of ours."""
import itertools

import pytest
from conftest import needs_php, pre

NAMES = [  # typed into the form; what comes back as "data" and goes into the log is {"nama":...} with:
    ("Budi", r'"Budi"'),
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
BODIES = [(body, body) for body in [  # posted to Server 2 or 3; what comes back as "data" and goes into the log
    '{"nama":"Budi"}', "[1,2,3]", "[]", '"teks"', '""', "0", "true", "null", "-1.5", '{"":1}',
    '{"a":{"b":[true,false,null,{"c":"d"}]}}']] + [
    (' { "nama" : "Budi" }\n', '{"nama":"Budi"}'), ('{"nama":"é"}', r'{"nama":"\u00e9"}'),
    ("123456789.123456789", "123456789.12345679"), ('{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'),
]
UNLIKE_PHP = [  # wanted differences: what comes back from ours as it was posted
    '"/"', "{}", '{"0":1}', "1.0", "12345678901234567890", "9" * 400, "-" + "9" * 400,
    r'"\ud800"', r'{"\udc00\ud800":1}']


@pytest.fixture
def mixture(kit):
    """A function that starts Server 1, 2 (and 3) in the languages named, and returns the Kit."""
    def start(languages, level=4):
        for number, language in reversed(list(enumerate(languages, 1))):
            if language == "php":
                kit.start_php(number, level)
            else:
                kit.start(number, level=level)
        return kit

    return start


def marked(languages):
    return pytest.param(languages, marks=needs_php if "php" in languages else (), id="-".join(languages))


@pytest.mark.parametrize("languages", [marked(three) for three in itertools.product(["python", "php"], repeat=3)])
def test_a_name_and_json_come_back_and_are_logged_as_php_does_it_whichever_of_the_three_are_php(mixture, languages):
    kit = mixture(languages)
    sent = [(1, name, '{"nama":%s}' % text) for name, text in NAMES] + [(n, *row) for n in (2, 3) for row in BODIES]
    for number, body, text in sent:
        answer = kit.post(number, body)
        right = '{"status":"logged"}' if number == 3 else '{"status":"success","data":%s}' % text
        assert (answer[0], pre(answer[1]) if number == 1 else answer[1]) == (200, right)
    assert [line.decode() for line in kit.lines()] == [text for _, _, text in sent]


def test_json_that_php_would_change_stays_as_it_came_and_a_look_is_not_logged(chain):
    for body in UNLIKE_PHP:
        assert chain.post(2, body) == (200, '{"status":"success","data":%s}' % body)
    for number in (2, 3):
        assert chain.get(number) == (200, '{"status":"success","message":"Server %d aktif"}' % number)
    assert [line.decode() for line in chain.lines()] == UNLIKE_PHP


@pytest.mark.parametrize("languages", [marked(two) for two in itertools.product(["python", "php"], repeat=2)])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_levels_1_to_3_show_what_php_shows(mixture, level, languages):
    kit = mixture(languages, level)
    up = (200, '{"status":"success","message":"Server 2 aktif"}')
    if level == 1:
        assert (200, pre(kit.get(1)[1])) == kit.get(2) == kit.post(2, "{}") == up
    else:
        assert pre(kit.get(1)[1]) is None
        assert kit.send("Jos\u00e9") == (200, r'{"status":"success","data":{"nama":"Jos\u00e9"}}')
        assert kit.post(2, "[1]") == (200, '{"status":"success","data":[1]}')
