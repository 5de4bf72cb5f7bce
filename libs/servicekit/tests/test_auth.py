import base64
import json
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from contracts import buckets, ids
from contracts.principal import Access, Principal, Role
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from servicekit import auth
from servicekit.auth import TokenExpired, TokenInvalid, Tokens
from servicekit.testing import eventually

KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
MINUTES = timedelta(minutes=10)


def a_principal(**changes):
    return Principal(**({"id": ids.new(), "tenant": ids.new(), "role": Role.AGENT, "version": 3} | changes))


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(clock):
    tokens = Tokens(clock)
    tokens.learn("k1", KEY.public_key())
    return tokens


def a_token(key=KEY, kid="k1", algorithm="EdDSA", without=(), **changes):
    now = datetime.now(UTC)
    claims = {"iss": "clarin", "aud": "clarin", "sub": str(ids.new()), "tenant": str(ids.new()), "role": "agent", "kind": "user"}
    claims |= {"scopes": [], "ver": 0, "ins": False, "ses": "s", "iat": now, "exp": now + MINUTES} | changes
    for name in without:
        del claims[name]
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


@pytest.mark.parametrize(
    "principal",
    [
        a_principal(),
        a_principal(role=Role.OWNER, installation=True, session="a session"),
        a_principal(kind="key", scopes=frozenset({"messages:send", "chats:read"})),
    ],
)
def test_a_principal_survives_its_token(tokens, principal):
    token = auth.sign(principal, KEY, "k1", MINUTES)
    assert tokens.verify(token) == principal
    assert tokens.verify(token) == principal


def test_the_helper_of_these_tests_makes_good_tokens(tokens):
    assert tokens.verify(a_token()).role is Role.AGENT


def unsigned(token):
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT", "kid": "k1"}).encode()).rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


def with_the_public_key_as_shared_secret():
    public = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return a_token(key=public, algorithm="HS256")


FORGED = {
    "nothing": lambda: "",
    "no token": lambda: "abc",
    "no token with dots": lambda: "a.b.c",
    "no ASCII": lambda: "é.é.é",
    "alg none": lambda: unsigned(a_token()),
    "alg HS256 with the public key": with_the_public_key_as_shared_secret,
    "a stranger's key": lambda: a_token(key=STRANGER),
    "an unknown kid": lambda: a_token(kid="k2"),
    "no kid": lambda: a_token(kid=None),
    "another issuer": lambda: a_token(iss="someone"),
    "another audience": lambda: a_token(aud="someone"),
    "not yet valid": lambda: a_token(nbf=datetime.now(UTC) + MINUTES),
    "a role that does not exist": lambda: a_token(role="emperor"),
    "a kind that does not exist": lambda: a_token(kind="emperor"),
    "a subject that is no id": lambda: a_token(sub="me"),
    "a tenant that is no id": lambda: a_token(tenant=7),
    "a version that is no number": lambda: a_token(ver="3"),
    "scopes that are no list": lambda: a_token(scopes="all"),
    "an end that is no time": lambda: a_token(exp="tomorrow"),
    "too long": lambda: a_token(ses="x" * 5000),
    "a changed end": lambda: f"{a_token().rpartition('.')[0]}.{'A' * 86}",
} | {f"no {claim}": lambda claim=claim: a_token(without=[claim]) for claim in ("iss", "aud", "sub", "tenant", "exp", "iat", "role")}


@pytest.mark.parametrize("which", FORGED)
def test_a_token_that_was_not_made_here_is_invalid(tokens, which):
    for _ in range(2):
        with pytest.raises(TokenInvalid) as refused:
            tokens.verify(FORGED[which]())
        assert (refused.value.status, refused.value.code) == (401, "token-invalid")
        assert "WWW-Authenticate" in refused.value.headers


def test_an_old_token_has_expired_whether_or_not_it_was_seen_before(tokens, clock):
    token = auth.sign(a_principal(), KEY, "k1", MINUTES)
    tokens.verify(token)
    fresh = Tokens(clock)
    fresh.learn("k1", KEY.public_key())
    clock.now += MINUTES.total_seconds() + auth.LEEWAY_SECONDS + 1
    for verifier in (tokens, fresh):
        with pytest.raises(TokenExpired) as refused:
            verifier.verify(token)
        assert refused.value.code == "token-expired"


def test_a_raised_version_ends_older_tokens_at_once_and_no_others(tokens):
    mine = a_principal(version=3)
    old, other = auth.sign(mine, KEY, "k1", MINUTES), auth.sign(a_principal(version=0), KEY, "k1", MINUTES)
    tokens.verify(old)
    tokens.raise_version(mine.id, 4)
    with pytest.raises(TokenInvalid):
        tokens.verify(old)
    assert tokens.verify(other)
    assert tokens.verify(auth.sign(a_principal(id=mine.id, version=4), KEY, "k1", MINUTES))


def test_a_version_never_falls(tokens):
    mine = a_principal(version=3)
    tokens.raise_version(mine.id, 4)
    tokens.raise_version(mine.id, 2)
    with pytest.raises(TokenInvalid):
        tokens.verify(auth.sign(mine, KEY, "k1", MINUTES))


def test_versions_are_forgotten_when_every_older_token_is_dead(tokens, clock):
    for _ in range(3):
        tokens.raise_version(ids.new(), 1)
    clock.now += auth.VERSION_SECONDS + 1
    tokens.raise_version(ids.new(), 1)
    assert len(tokens._versions) == 1


def test_a_key_that_was_taken_away_signs_no_more(tokens):
    token = a_token()
    tokens.verify(token)
    tokens.forget("k1")
    with pytest.raises(TokenInvalid):
        tokens.verify(token)


def test_a_key_that_replaced_another_under_its_name_does_not_vouch_for_it(tokens):
    token = a_token()
    tokens.verify(token)
    tokens.learn("k1", STRANGER.public_key())
    with pytest.raises(TokenInvalid):
        tokens.verify(token)
    assert tokens.verify(a_token(key=STRANGER))


def test_the_cache_stays_within_its_bound(clock):
    tokens = Tokens(clock, kept=3)
    tokens.learn("k1", KEY.public_key())
    made = [a_token() for _ in range(5)]
    for token in made:
        tokens.verify(token)
    assert list(tokens._cache) == made[-3:]


def test_a_key_survives_its_jwk():
    known = auth.decode_jwk(auth.encode_jwk(KEY.public_key(), "k1"))
    assert known.public_bytes(Encoding.Raw, PublicFormat.Raw) == KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    with pytest.raises(ValueError, match="no Ed25519 key"):
        auth.decode_jwk(b'{"kty": "RSA"}')


def test_what_somebody_sees_changes_with_the_next_call(tokens):
    mine, device = a_principal(), ids.new()
    token, other = auth.sign(mine, KEY, "k1", MINUTES), auth.sign(a_principal(), KEY, "k1", MINUTES)
    assert tokens.verify(token).sees(device)
    tokens.limit(mine.id, Access(devices=frozenset({device})))
    assert tokens.verify(token) == tokens.verify(token)
    assert tokens.verify(token).sees(device)
    assert not tokens.verify(token).sees(ids.new())
    assert tokens.verify(other).sees(ids.new())
    tokens.limit(mine.id, Access(devices=frozenset()))
    assert not tokens.verify(token).sees(device)
    tokens.limit(mine.id, auth.UNLIMITED)
    assert tokens.verify(token) == mine
    assert tokens._limits == {}


def test_a_limit_holds_for_a_token_that_comes_after_it(tokens):
    mine, device = a_principal(), ids.new()
    tokens.limit(mine.id, Access(devices=frozenset({device})))
    assert tokens.verify(auth.sign(mine, KEY, "k1", MINUTES)).access == Access(devices=frozenset({device}))


def test_a_token_cannot_say_what_it_sees(tokens):
    assert tokens.verify(a_token(access={"devices": []}, devices=[])).access == auth.UNLIMITED


def test_a_changed_limit_is_told_once(tokens):
    told, someone, access = [], ids.new(), Access(devices=frozenset({ids.new()}))
    tokens.on_access.append(told.append)
    for limit in (auth.UNLIMITED, access, access, auth.UNLIMITED):
        tokens.limit(someone, limit)
    assert told == [someone, someone]


def test_limits_survive_their_bytes():
    access = Access(devices=frozenset({ids.new(), ids.new()}), teams=frozenset({ids.new()}))
    assert auth._access.decode(auth.encode_access(access)) == access


async def test_the_bucket_says_what_somebody_sees_as_long_as_it_stands_there(bus, signed_in, limited):
    someone, other, device = signed_in(), signed_in(), ids.new()
    await limited(someone, device)
    async with auth.Verifier.open(bus) as verifier:
        assert verifier.verify(someone.token).access == Access(devices=frozenset({device}))
        assert verifier.verify(other.token).sees(ids.new())
        await limited(someone)
        await eventually(lambda: not verifier.verify(someone.token).sees(device))
        await limited(someone, all=True)
        await eventually(lambda: verifier.verify(someone.token).access == auth.UNLIMITED)


@pytest.mark.parametrize("value", [b"", b"nonsense", b"[]", b'{"devices": ["me"]}', b'{"devices": 1}', b"\xff"])
async def test_who_has_an_entry_that_cannot_be_read_sees_nothing(bus, signed_in, value):
    someone = signed_in()
    await (await bus.bucket(buckets.ACCESS)).put(str(someone.principal.id), value)
    async with auth.Verifier.open(bus) as verifier:
        assert not verifier.verify(someone.token).sees(ids.new())
