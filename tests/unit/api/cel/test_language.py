"""The language: values of expressions, and that errors are errors. After the language's specification."""

import math

import pytest

from kubeactors.api.cel import macros, types
from kubeactors.api.cel.environment import BASE
from kubeactors.api.cel.source import CompileError
from kubeactors.api.cel.values import NONE, Duration, EvaluationError, Optional, Timestamp, TypeValue, UInt, equal

OBJECT = {"spec": {"replicas": 3, "names": ["a", "b"], "none": None}, "metadata": {"labels": {"app": "x"}}}
ENVIRONMENT = BASE.with_libraries(macros_of=macros.BINDINGS).with_variables(
    {"object": types.DYN, "x": types.INT, "names": types.list_of(types.STRING)}
)


def evaluate(text: str) -> object:
    return ENVIRONMENT.compile(text).evaluate([OBJECT, 5, ["b", "a"]])[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 4 / 2 % 3", 5),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7u / 2u", UInt(3)),
        ("1.5 + 1.5", 3.0),
        ("1.0 / 0.0", math.inf),
        ("0x1F", 31),
        ("-9223372036854775808", -(2**63)),
        ("'a' + \"b\" + r'\\n' + '\\x41\\u00e9\\101'", "ab\\nAéA"),
        ("b'\\xff' + b'a'", b"\xffa"),
        ("'''a\nb'''", "a\nb"),
        ("[1, 2] + [3]", [1, 2, 3]),
        ("{'a': 1}['a']", 1),
        ("{1: 'a'}[1]", "a"),
        ("{true: 'a', false: 'b'}[false]", "b"),
        ("[1, 2][1]", 2),
        ("1 < 1.5", True),
        ("2u > 1", True),
        ("dyn(1) == 1u", True),
        ("dyn(1) == 1.0", True),
        ("dyn(1) == '1'", False),
        ("dyn(9223372036854775807) < 9223372036854775808.0", False),
        ("'a' < 'b'", True),
        ("false < true", True),
        ("[[1], [2]] == [[1], [2]]", True),
        ("{'a': [1]} == {'a': [1]}", True),
        ("double('NaN') == double('NaN')", False),
        ("2 in [1, 2]", True),
        ("'a' in {'a': 1}", True),
        ("!false", True),
        ("true ? 1 : 2", 1),
        ("x > 3 && x < 9 || false", True),
        ("1 / 0 > 0 || true", True),
        ("true || 1 / 0 > 0", True),
        ("false && 1 / 0 > 0", False),
        ("1 / 0 > 0 && false", False),
        ("size('é😀')", 2),
        ("'é'.size() + size(b'é') + [1].size() + {'a': 1}.size()", 5),
        ("type(1) == int", True),
        ("type(type(1)) == type", True),
        ("type([])", TypeValue("list")),
        ("int('-12') + int(3.9) + int(4u)", -5),
        ("uint('12')", UInt(12)),
        ("double('1e3')", 1000.0),
        ("string(1.5) + string(true) + string(b'x') + string(-1)", "1.5truex-1"),
        ("string(1e21)", "1e+21"),
        ("string(0.00001)", "1e-05"),
        ("bool('true')", True),
        ("bytes('é')", b"\xc3\xa9"),
        ("'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo')", True),
        ("'hello'.matches('^h.*o$')", True),
        ("matches('hello', 'l+')", True),
        ("has(object.spec.replicas)", True),
        ("has(object.spec.other)", False),
        ("has(object.spec.none)", True),
        ("object.spec.replicas <= 5", True),
        ("object.metadata.labels['app']", "x"),
        ("names.all(n, n < 'c')", True),
        ("names.exists(n, n == 'a')", True),
        ("[1, 2].exists(i, 1 / (i - 1) > 0)", True),
        ("[0, 2].all(i, 1 / i > 5)", False),
        ("names.exists_one(n, n == 'a')", True),
        ("names.map(n, n + '!')", ["b!", "a!"]),
        ("names.map(n, n != 'a', n + '!')", ["b!"]),
        ("[1, 2, 3].filter(i, i > 1)", [2, 3]),
        ("{'a': 1, 'b': 2}.map(k, k)", ["a", "b"]),
        ("[[1, 2], [3]].map(l, l.map(i, i * 2))", [[2, 4], [6]]),
        ("{'a': 1}.all(k, v, v == 1 && k == 'a')", True),
        ("['a', 'b'].exists(i, v, i == 1 && v == 'b')", True),
        ("[3, 4].transformList(i, v, i * v)", [0, 4]),
        ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
        ("{'a': 1}.transformMapEntry(k, v, {string(v): k})", {"1": "a"}),
        ("cel.bind(y, x + 1, y * y)", 36),
        ("object.?spec.?replicas", Optional(3)),
        ("object.?spec.?other.?more", NONE),
        ("object.?other.orValue('d')", "d"),
        ("[1][?0].value() + [1][?5].orValue(6)", 7),
        ("optional.of(1).or(optional.of(2)).value()", 1),
        ("optional.none().or(optional.of(2)).value()", 2),
        ("optional.ofNonZeroValue('').hasValue()", False),
        ("optional.of(3).optMap(v, v + 1).value()", 4),
        ("[1, ?optional.none(), ?optional.of(2)]", [1, 2]),
        ("{?'a': optional.none(), 'b': 1}", {"b": 1}),
        ("duration('1h30m') + duration('1.5s')", Duration(5401_500_000_000)),
        ("string(duration('1m1ms'))", "60.001s"),
        ("timestamp('2023-01-02T03:04:05.5+01:00') - timestamp('2023-01-02T00:00:00Z')", Duration(7445_500_000_000)),
        ("timestamp('1970-01-01T00:00:00Z') + duration('1s')", Timestamp(10**9)),
        ("string(timestamp(0))", "1970-01-01T00:00:00Z"),
        ("string(timestamp('2011-08-18T19:03:37.01+01:00') + duration('1s'))", "2011-08-18T19:03:38.01+01:00"),
        ("string(timestamp('9999-12-31T23:30:00Z'))", "9999-12-31T23:30:00Z"),
        ("timestamp('2011-08-18T19:03:37+01:00') == timestamp('2011-08-18T18:03:37Z')", True),
        ("timestamp('2024-02-29T23:30:00Z').getDayOfMonth('+01:00')", 0),
        ("timestamp('2024-02-29T23:30:00Z').getDayOfYear()", 59),
        ("timestamp('2024-02-29T23:30:00Z').getHours('America/New_York')", 18),
        ("timestamp('2024-03-03T00:00:00Z').getDayOfWeek()", 0),
        ("duration('90m').getHours() + duration('90m').getMinutes()", 91),
        ("// a comment\n1", 1),
    ],
)
def test_value(text: str, value: object) -> None:
    found = evaluate(text)
    assert equal(found, value) and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9223372036854775807 + 1", "integer overflow"),
        ("-9223372036854775807 - 2", "integer overflow"),
        ("9223372036854775807 * 2", "integer overflow"),
        ("-(-9223372036854775807 - 1)", "integer overflow"),
        ("1u - 2u", "unsigned integer overflow"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("int([1e99][0])", "integer overflow"),
        ("uint([-1][0])", "unsigned integer overflow"),
        ("int(['x'][0])", "type conversion error from 'string' to 'int'"),
        ("object.spec.other", "no such key: other"),
        ("object.spec.replicas.more", "no such overload"),
        ("[1][1]", "index out of bounds: 1"),
        ("{'a': 1}['b']", "no such key: b"),
        ("object.spec.replicas + 'a'", "no such overload"),
        ("object.spec.replicas.startsWith('a')", "no such overload: startsWith(int, string)"),
        ("object.spec.replicas ? 1 : 2", "no such overload"),
        ("[0].all(i, 1 / i > 0)", "division by zero"),
        ("{'a': 1, 'a': 2}", "Failed with repeated key: a"),
        ("optional.none().value()", "optional.none() dereference"),
        ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "timestamp overflow"),
        ("string([b'\\xff'][0])", "invalid UTF-8 in bytes, cannot convert to string"),
        ("timestamp(0).getHours('Nowhere/City')", "unknown time zone Nowhere/City"),
        ("{'a': 1}.transformMapEntry(k, v, {'a': 1}) == {} || [1, 2].transformMapEntry(i, v, {'a': v}) == {}",
         "insert failed: key a already exists"),
    ],
)  # fmt: skip
def test_error(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as error:
        evaluate(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x + 'a'", "1:3: found no matching overload for '_+_' applied to '(int, string)'"),
        ("y", "1:1: undeclared reference to 'y' (in container '')"),
        ("x.z", "1:2: type 'int' does not support field selection"),
        ("f(x)", "1:2: undeclared reference to 'f' (in container '')"),
        ("'a'.f()", "1:6: undeclared reference to 'f' (in container '')"),
        ("x && true", "1:1: expected type 'bool' but found 'int'"),
        ("[1, 'a']", "1:5: expected type 'int' but found 'string'"),
        ("{'a': 1, 'b': 'c'}", "1:15: expected type 'int' but found 'string'"),
        ("true ? 1 : 'a'", "1:6: found no matching overload for '_?_:_' applied to '(bool, int, string)'"),
        ("x.all(i, true)", "1:1: expression of type 'int' cannot be range of a comprehension (must "
            "be list, map, or dynamic)"),
        ("names.all(n, 1)", "1:14: expected type 'bool' but found 'int'"),
        ("names.all(n.m, true)", "1:12: argument must be a simple name"),
        ("names.map(n.m, true)", "1:12: argument is not an identifier"),
        ("has(x)", "1:5: invalid argument to has() macro"),
        ("duration('1x')", "1:10: invalid duration argument"),
        ("timestamp('today')", "1:11: invalid timestamp argument"),
        ("'a'.matches('(')", "1:13: invalid matches argument"),
        ("99999999999999999999", "1:1: invalid int literal"),
        ("var", "1:1: reserved identifier: var"),
        ("x == \n  'a'", "1:3: found no matching overload for '_==_' applied to '(int, string)'"),
        ("1 +", "1:4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', "
         "'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"),
        ("(1", "1:3: Syntax error: missing ')' at '<EOF>'"),
        ("1 2", "1:3: Syntax error: extraneous input '2' expecting <EOF>"),
        ("1 2 3", "1:3: Syntax error: mismatched input '2' expecting <EOF>"),
        ("x.true", "1:3: Syntax error: mismatched input 'true' expecting IDENTIFIER"),
        ("{'a'}", "1:5: Syntax error: mismatched input '}' expecting ':'"),
        ("x ? 1", "1:6: Syntax error: mismatched input '<EOF>' expecting ':'"),
        ("'a", "1:1: Syntax error: token recognition error at: ''a'"),
        ("x @ 1", "1:3: Syntax error: token recognition error at: '@'"),
        ("[].map(", "1:8: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', ')', '.', "
            "'-', '!', 'true', 'false', "
         "'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"),
    ],
)  # fmt: skip
def test_compile_error(text: str, message: str) -> None:
    with pytest.raises(CompileError) as error:
        ENVIRONMENT.compile(text)
    assert str(error.value).split("\n")[0] == f"ERROR: <input>:{message}"


def test_error_shows_the_place() -> None:
    with pytest.raises(CompileError) as error:
        ENVIRONMENT.compile("'é' == 'a' &&\n\t'日本' == y")
    assert str(error.value) == (
        "ERROR: <input>:2:10: undeclared reference to 'y' (in container '')\n |  '日本' == y\n | ..\uff0e\uff0e.....^"
    )


def test_errors_come_in_the_order_of_their_places() -> None:
    with pytest.raises(CompileError) as error:
        ENVIRONMENT.compile("a.b(c)")
    assert [issue.position for issue in error.value.issues] == [0, 3, 4]


@pytest.mark.parametrize(
    "text", ["(" * 300 + "1" + ")" * 300, "1" + " + 1" * 300, "[" * 300, "!" * 50_000, "x." * 5000]
)
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(CompileError):
        ENVIRONMENT.compile(text)


def test_size_is_bounded() -> None:
    with pytest.raises(CompileError, match="expression code point size exceeds limit"):
        ENVIRONMENT.compile(" " * 100_001)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("true || int('x') == 1", "type conversion error from 'string' to 'int'"),
        ("double('1') > double('x')", "type conversion error from 'string' to 'double'"),
        ("bool(string(dyn('maybe')))", "type conversion error from 'string' to 'bool'"),
        ("uint(-1) == 1u", "unsigned integer overflow"),
        ("bool(dyn(1))", "no such overload: bool(int)"),
    ],
)
def test_conversions_of_literals_are_carried_out_at_once(text: str, reason: str) -> None:
    with pytest.raises(CompileError) as error:
        ENVIRONMENT.compile(text)
    assert error.value.reason == f"program instantiation failed: {reason}"


@pytest.mark.parametrize("kind", ["duration", "timestamp"])
def test_other_texts_are_no_times(kind: str) -> None:
    name = f"google.protobuf.{kind.capitalize()}"
    with pytest.raises(EvaluationError, match=f"^type conversion error from 'string' to '{name}'$"):
        ENVIRONMENT.compile(f"{kind}(['x'][0])").evaluate([])
