"""Functions of the libraries that Kubernetes has."""

import pytest

from kubeactors.api.cel.environment import BASE
from kubeactors.api.cel.values import EvaluationError, equal


def evaluate(text: str) -> object:
    return BASE.compile(text).evaluate([])[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'tacocat'.charAt(3)", "o"),
        ("'hello'.indexOf('l')", 2),
        ("'hello'.indexOf('l', 3)", 3),
        ("'hello'.lastIndexOf('l')", 3),
        ("'a,b,c'.split(',')", ["a", "b", "c"]),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("['a', 'b'].join('-')", "a-b"),
        ("'aXbX'.replace('X', '-', 1)", "a-bX"),
        ("'ÀBC'.lowerAscii() + 'àbc'.upperAscii()", "ÀbcàBC"),
        ("'  a '.trim()", "a"),
        ("'hello'.substring(1, 3)", "el"),
        ("strings.quote('a\"b\\n')", '"a\\"b\\n"'),
        ("'%s is %d, %.2f, %x'.format(['a', dyn(5), dyn(1.5), dyn(255)])", "a is 5, 1.50, ff"),
        ("'abc 123'.find('[0-9]+')", "123"),
        ("'1 2 3'.findAll('[0-9]', 2)", ["1", "2"]),
        ("[1, 2, 3].sum()", 6),
        ("[1.5, 2.5].sum()", 4.0),
        ("[duration('1s')].filter(x, false).sum() == duration('0s')", True),
        ("[1u].filter(x, false).sum() == 0u && type([1.5].filter(x, false).sum()) == double", True),
        ("dyn([]).sum()", 0),
        ("[2, 1].min() + [2, 1].max()", 3),
        ("[1, 2, 2].isSorted()", True),
        ("[1, 2, 1].indexOf(1) + [1, 2, 1].lastIndexOf(1)", 2),
        ("[3, 1, 2].sort()", [1, 2, 3]),
        ("['bb', 'a'].sortBy(s, size(s))", ["a", "bb"]),
        ("[1, 1, 2].distinct()", [1, 2]),
        ("[[1], [2, 3]].flatten()", [1, 2, 3]),
        ("[1, 2, 3].slice(1, 3)", [2, 3]),
        ("[1, 2].reverse()", [2, 1]),
        ("lists.range(3)", [0, 1, 2]),
        ("sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])", True),
        ("url('https://u@example.com:80/a b?x=1&x=2&y=%20').getHost()", "example.com:80"),
        ("url('https://[::1]:80/').getHostname()", "::1"),
        ("url('https://h:80/p').getPort()", "80"),
        ("url('https://h/a b').getEscapedPath()", "/a%20b"),
        ("url('https://h/p?x=1#f').getQuery()", {"x": ["1"]}),
        ("url('https://h/p#f').getEscapedPath()", "/p"),
        ("url('/p?x=1&x=2&y=%20').getQuery()", {"x": ["1", "2"], "y": [" "]}),
        ("isURL('https://h/p') && !isURL('../p') && !isURL('https://h:x/')", True),
        ("url('https://h/') == url('https://h/')", True),
        ("quantity('1.5Gi').isGreaterThan(quantity('1G'))", True),
        ("quantity('1k') == quantity('1000')", True),
        ("quantity('50k').add(20).sub(quantity('100k')).sub(-50000).asInteger()", 20),
        ("isQuantity('200K')", False),
        ("quantity('1.5').isInteger()", False),
        ("quantity('2500m').asApproximateFloat()", 2.5),
        ("ip('10.0.0.1').family() + ip('::1').family()", 10),
        ("isIP('127.0.0.256') || isIP('::ffff:1.2.3.4') || isIP('fe80::1%eth0') || isIP('010.0.0.1')", False),
        ("ip.isCanonical('2001:DB8::1')", False),
        (
            "ip('127.0.0.1').isLoopback() && ip('169.254.1.1').isLinkLocalUnicast() && ip('::').isUnspecified()",
            True,
        ),
        ("ip('255.255.255.255').isGlobalUnicast() || ip('ff02::1').isGlobalUnicast()", False),
        ("cidr('192.168.0.0/24').containsIP('192.168.0.9')", True),
        ("cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24')", True),
        ("string(cidr('192.168.1.5/24').masked())", "192.168.1.0/24"),
        ("string(cidr('192.168.1.5/24').ip())", "192.168.1.5"),
        ("cidr('::/0').prefixLength()", 0),
        ("isCIDR('10.0.0.0/33') || isCIDR('10.0.0.0')", False),
        ("type(ip('1.2.3.4')) == net.IP", True),
        ("semver('1.2.3-alpha.1').isLessThan(semver('1.2.3'))", True),
        ("semver('1.2.3+a').compareTo(semver('1.2.3+b'))", 0),
        ("semver('1.10.0').compareTo(semver('1.9.0'))", 1),
        ("semver('v1.02', true).minor()", 2),
        ("isSemver('v1.0.0') || isSemver('1.0') || isSemver('01.0.0')", False),
        ("format.dns1123Label().validate('my-name').hasValue()", False),
        ("format.named('dns1123Label').value().validate('Bad_').value().size()", 1),
        ("format.named('zz').hasValue()", False),
        ("format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()", False),
        ("format.date().validate('2021-02-30').value()", ["invalid date"]),
    ],
)
def test_value(text: str, value: object) -> None:
    found = evaluate(text)
    assert equal(found, value) and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a'.charAt(2)", "index out of range: 2"),
        ("'a'.substring(2)", "index out of range: 2"),
        ("'%d'.format(['a'])", "error during formatting: decimal clause can only be used on integers, was given "
         "string"),
        ("'%s %s'.format(['a'])", "index 1 out of range"),
        ("[1].slice(0, 2)", "cannot slice(0, 2), list is length 1"),
        ("quantity('x') == quantity('1')", "quantities must match the regular expression "
         "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ("quantity('1.5').asInteger()", "cannot convert value to integer"),
        ("ip('::ffff:1.2.3.4').family()", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
        ("semver('1.0').major()", "No Major.Minor.Patch elements found"),
        ("'a'.find(['('][0])", "error parsing regexp: missing closing ): `(`"),
        ("dyn([]).min()", "min called on empty list"),
    ],
)  # fmt: skip
def test_error(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as error:
        evaluate(text)
    assert str(error.value) == message


def test_results_are_bounded() -> None:
    """What an expression makes does not take memory without end."""
    grow = "[" + ", ".join(["1"] * 40) + "]"
    text = f"{grow}.map(a, {grow}.map(b, {grow}.map(c, {grow}.map(d, 'x' + 'y'))))"
    with pytest.raises(EvaluationError, match="actual cost limit exceeded"):
        evaluate(text)
    with pytest.raises(EvaluationError, match="exceeds maximum allowed"):
        evaluate("lists.range(9000000000)")
