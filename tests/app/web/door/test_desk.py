"""The desk: commands that prove that they know the token are answered, without the password; nobody else is."""

import json
import time
from contextlib import ExitStack

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.running.proof import ANSWERED, ASKED, HELLO, MOST_BYTES, PATH, nonce, opened, sealed
from app.web.door.desk import GREETED_S, Desk
from app.web.door.doorkeeper import Doorkeeper
from app.web.door.forwarding import Proxies
from app.web.door.security import Gate

TOKEN = "ab" * 32


@pytest.fixture
def asked():
    return []


@pytest.fixture
def client(asked):
    """Makes clients of a desk, whose loop goes on between their requests."""
    with ExitStack() as opened:
        yield lambda **gate: opened.enter_context(make_client(asked, **gate))


def make_client(asked, **gate):
    inside = FastAPI()

    @inside.get("/photos")
    def photos():
        return "all of them"

    def answer(question):
        asked.append(question)
        return {"out": "found", "err": "", "status": 0}

    return TestClient(Gate(Desk(inside, answer=answer, token=TOKEN), locked=PATH, **gate), base_url="http://localhost")


def greeted(browser, path=PATH):
    own = nonce()
    answer = browser.post(path, content=f"{HELLO} {own}".encode())
    assert answer.status_code == 200
    return f"{own} {opened(TOKEN, HELLO, own, answer.content).decode()}"


def question(numbers, token=TOKEN, purpose=ASKED):
    return numbers.encode() + b"\n" + sealed(token, purpose, numbers, json.dumps({"arguments": ["dog"]}).encode())


@pytest.mark.parametrize(("proxies", "path"), [(Proxies(), PATH), (Proxies(root_path="/photos"), PATH)])
def test_who_knows_the_token_needs_no_password(client, asked, proxies, path):
    browser = client(keeper=Doorkeeper("secret"), hosts=None, proxies=proxies)
    numbers = greeted(browser, path)
    answer = browser.post(path, content=question(numbers))
    assert json.loads(opened(TOKEN, ANSWERED, numbers, answer.content)) == {"out": "found", "err": "", "status": 0}
    assert asked == [{"arguments": ["dog"]}]
    assert browser.get("/photos").status_code == 401
    assert browser.get(f"{PATH}/more").status_code == 401
    assert browser.post(f"{PATH}x", content=question(greeted(browser, path))).status_code == 401


@pytest.mark.parametrize(
    "message",
    [
        lambda numbers: question(numbers, token="cd" * 32),
        lambda numbers: question(numbers, purpose=HELLO),
        lambda numbers: question(f"{nonce()} {nonce()}"),
        lambda numbers: question(numbers)[:-1] + b" ",
        lambda numbers: numbers.encode() + b"\n" + TOKEN.encode(),
        lambda numbers: TOKEN.encode(),
        lambda numbers: b"",
        lambda numbers: b"\xff\n\xff",
        lambda numbers: f"{HELLO} short".encode(),
    ],
)
def test_nobody_else_is_answered(client, asked, message):
    browser = client()
    answer = browser.post(PATH, content=message(greeted(browser)))
    assert answer.status_code == 403
    assert TOKEN not in answer.text
    assert asked == []


def test_a_question_is_answered_once(client, asked):
    browser = client()
    message = question(greeted(browser))
    assert browser.post(PATH, content=message).status_code == 200
    assert browser.post(PATH, content=message).status_code == 403
    assert len(asked) == 1


def test_nobody_who_greets_keeps_another_from_asking(client, monkeypatch):
    monkeypatch.setattr("app.web.door.desk.GREETED_S", 600)  # three hundred greetings may take more than ten seconds
    browser = client()
    first = greeted(browser)
    for _ in range(300):
        last = greeted(browser)
    assert browser.post(PATH, content=question(first, token="cd" * 32)).status_code == 403
    assert browser.post(PATH, content=question(first)).status_code == 200
    assert browser.post(PATH, content=question(last)).status_code == 200


def test_a_greeting_is_good_for_a_while_and_for_who_it_was_said_to(client, asked, monkeypatch):
    browser = client()
    numbers, used = greeted(browser), greeted(browser)
    theirs, _, own = numbers.partition(" ")
    begun, rest = own.split("/", 1)
    assert browser.post(PATH, content=question(used)).status_code == 200
    for changed in (f"{nonce()} {own}", f"{theirs} {float(begun) + 1:.3f}/{rest}", f"{numbers}0", f"{theirs} x/{rest}"):
        assert browser.post(PATH, content=question(changed)).status_code == 403
    now = time.monotonic()
    monkeypatch.setattr("app.web.door.desk.time.monotonic", lambda: now + GREETED_S + 1)
    assert browser.post(PATH, content=question(numbers)).status_code == 403
    assert browser.post(PATH, content=question(used)).status_code == 403
    assert browser.post(PATH, content=question(greeted(browser))).status_code == 200
    assert len(asked) == 2


def test_the_rest_of_the_gate_holds_there_too(client, asked):
    browser = client()
    message = question(greeted(browser))
    assert browser.post(PATH, content=message, headers={"Host": "evil.example"}).status_code == 400
    assert browser.post(PATH, content=message, headers={"Origin": "https://evil.example"}).status_code == 403
    assert browser.get(PATH).status_code == 405
    assert browser.post(PATH, content=b"x" * (MOST_BYTES + 1)).status_code == 413
    assert asked == []
    assert browser.get("/photos").json() == "all of them"


def test_without_a_desk_the_password_is_asked_for_there_too():
    browser = TestClient(Gate(FastAPI(), keeper=Doorkeeper("secret"), hosts=None), base_url="http://localhost")
    assert browser.post(PATH, content=f"{HELLO} {nonce()}".encode()).status_code == 401
