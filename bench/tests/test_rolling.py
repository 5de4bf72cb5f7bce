import pytest
from bench.rolling import is_failure

STATUSES = {"200": False, "202": False, "401": True, "404": True, "409": False, "429": False, "500": True, "502": True, "503": False}


@pytest.mark.parametrize(("status", "failure"), [*STATUSES.items(), ("504", True), ("broken", True)])
def test_what_no_client_can_do_anything_about_counts_against_a_roll_out(status, failure):
    assert is_failure(status) is failure
