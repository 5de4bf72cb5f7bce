import io
import json
import logging as standard

import pytest
import structlog
from pydantic import BaseModel, ValidationError
from servicekit import logging
from structlog.contextvars import bind_contextvars, clear_contextvars

pytestmark = pytest.mark.usefixtures("restored")


@pytest.fixture
def restored():
    root = standard.getLogger()
    before = root.handlers[:], root.level
    clear_contextvars()
    yield
    clear_contextvars()
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines():
    out = io.StringIO()
    logging.configure("shop", "INFO", out)
    return lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_service_level_and_time(lines):
    structlog.get_logger().info("opened", counters=3)
    (line,) = lines()
    assert (line["event"], line["service"], line["level"], line["counters"]) == ("opened", "shop", "info", 3)
    assert line["at"].endswith("Z")


def test_what_is_bound_stands_in_every_line_of_libraries_too(lines):
    bind_contextvars(request_id="r1", tenant="t1", trace="00-a-b-01")
    structlog.get_logger().info("one")
    standard.getLogger("library").warning("two %s", "2")
    assert [(line["event"], line["request_id"], line["tenant"]) for line in lines()] == [("one", "r1", "t1"), ("two 2", "r1", "t1")]
    assert logging.request_id() == "r1"
    assert logging.trace() == "00-a-b-01"


def test_below_the_level_nothing_is_written(lines):
    structlog.get_logger().debug("hidden")
    standard.getLogger("library").debug("hidden")
    assert lines() == []


@pytest.mark.parametrize(
    "name",
    ["text", "phone", "token", "password", "qr", "authorization", "Authorization", "refresh_token", "from_phone", "jid", "database_url"],
)
def test_a_secret_name_keeps_its_value_to_itself(lines, name):
    structlog.get_logger().info("event", **{name: "hushhush"}, deep={"list": [{name: "hushhush"}]})
    (line,) = lines()
    assert "hushhush" not in json.dumps(line)
    assert line[name] == "[redacted]"


def test_an_exception_shows_its_frames_and_not_the_row_that_it_quotes(lines):
    quoting = "duplicate key\nDETAIL:  Key (phone)=(59170000001) already exists."
    try:
        raise ValueError(quoting)
    except ValueError:
        structlog.get_logger().exception("bug")
    (line,) = lines()
    assert "test_an_exception_shows_its_frames" in line["exception"]
    assert "duplicate key" in line["exception"]
    assert "59170000001" not in json.dumps(line)


def test_a_validation_error_shows_places_and_not_the_input(lines):
    class Order(BaseModel):
        number: int

    sent = {"number": "hushhush"}
    with pytest.raises(ValidationError) as caught:
        Order.model_validate(sent)
    structlog.get_logger().error("bug", exc_info=caught.value)
    (line,) = lines()
    assert "number: int_parsing" in line["exception"]
    assert "hushhush" not in json.dumps(line)


@pytest.mark.parametrize("text", ["no session with 59170000001@s.whatsapp.net", "connect postgresql://shop:59170000001@db/clarin"])
def test_numbers_and_passwords_inside_an_error_are_cut(lines, text):
    standard.getLogger("library").error(text)
    try:
        raise OSError(text)
    except OSError as error:
        structlog.get_logger().exception("bug", reason=logging.describe(error))
    assert "59170000001" not in json.dumps(lines())


def test_the_cause_of_an_error_is_told_as_well(lines):
    try:
        try:
            raise OSError("inner")
        except OSError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        structlog.get_logger().exception("bug")
    (line,) = lines()
    assert "RuntimeError: outer" in line["exception"]
    assert "OSError: inner" in line["exception"]
