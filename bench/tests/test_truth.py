from bench.truth import Records, tally


def records(**changes) -> Records:
    given = {
        "written": ["a-in-1"],
        "stored": ["a-in-1"],
        "accepted": ["a-out-1"],
        "decrypted": ["a-out-1"],
        "statuses": {"a-out-1": "sent"},
    }
    return Records(**given | changes)


def test_what_arrived_once_is_neither_lost_nor_doubled():
    found = tally(records())
    assert (found.asked, found.lost, found.doubled, found.unknown, found.failed) == (2, 0, 0, 0, 0)


def test_a_customers_message_that_the_api_does_not_show_is_lost():
    assert tally(records(stored=["[undecryptable]"])).lost_in == 1
    assert tally(records(stored=["[undecryptable]"] * 2)).doubled == 0


def test_an_answer_that_no_phone_could_read_is_lost_though_the_api_calls_it_sent():
    assert tally(records(decrypted=[])).lost_out == 1


def test_an_answer_of_which_nobody_knows_is_in_doubt_and_not_lost():
    found = tally(records(decrypted=[], statuses={"a-out-1": "unknown"}))
    assert (found.lost, found.unknown) == (0, 1)


def test_an_answer_in_doubt_that_arrived_all_the_same_is_not_counted_as_doubtful():
    assert tally(records(statuses={"a-out-1": "unknown"})).unknown == 0


def test_what_is_there_twice_is_doubled_in_its_direction():
    found = tally(records(stored=["a-in-1"] * 2, decrypted=["a-out-1"] * 3))
    assert (found.doubled_in, found.doubled_out, found.doubled) == (1, 1, 2)


def test_only_the_messages_of_the_phase_are_counted():
    found = tally(records(written=["a-in-1", "b-in-2"], accepted=["b-out-2"], decrypted=[]), "b-")
    assert (found.asked, found.lost_in, found.lost_out) == (2, 1, 1)
