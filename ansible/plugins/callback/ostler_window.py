# Opens a change window on each server before a playbook's first task there,
# and closes it when the playbook is over. What the control plane does not
# answer or refuses is printed, and never fails a play.
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = """
name: ostler_window
type: notification
short_description: Says to Ostler when and why servers are changed
description:
  - Opens a change window (server, ticket, who, playbook) before the first task of a play on a server, and closes it at the end of the playbook.
  - A window that nobody closes ends by itself.
  - With I(--check), in plays with the variable C(ostler_window=false), and for localhost it does nothing.
  - The ticket may also be the variable C(ostler_ticket), for example C(-e ostler_ticket=OPS-1234).
requirements:
  - enabled in the configuration (callbacks_enabled)
options:
  url:
    description: The control plane's address.
    default: http://localhost:8443
    env: [{name: OSTLER_URL}]
    ini: [{section: callback_ostler_window, key: url}]
  token:
    description: The API token, with the permission window.write.
    env: [{name: OSTLER_TOKEN}]
  token_file:
    description: The file with the token, where OSTLER_TOKEN is not set. Without it, the one that C(ostler token save) keeps.
    env: [{name: OSTLER_TOKEN_FILE}]
    ini: [{section: callback_ostler_window, key: token_file}]
  ca_file:
    description: PEM file of the authority that signed the control plane's certificate.
    env: [{name: OSTLER_CA_FILE}]
    ini: [{section: callback_ostler_window, key: ca_file}]
  ticket:
    description: Why servers are changed.
    env: [{name: OSTLER_TICKET}]
    ini: [{section: callback_ostler_window, key: ticket}]
  who:
    description: Who changes them. Without it, the user and this machine.
    env: [{name: OSTLER_WHO}]
    ini: [{section: callback_ostler_window, key: who}]
  minutes:
    description: After how many minutes a window ends by itself, at most 720.
    type: int
    default: 120
    env: [{name: OSTLER_WINDOW_MINUTES}]
    ini: [{section: callback_ostler_window, key: minutes}]
  timeout:
    description: For how many seconds the control plane is waited for. If it does not answer once, it is not asked again in this run.
    type: int
    default: 5
    env: [{name: OSTLER_WINDOW_TIMEOUT}]
    ini: [{section: callback_ostler_window, key: timeout}]
"""

import getpass
import json
import os
import socket
import stat
import uuid
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ansible import context
from ansible.module_utils.urls import open_url
from ansible.plugins.callback import CallbackBase

LOCAL = ("localhost", "127.0.0.1", "::1")


class Refused(Exception):
    """What the control plane answered, in its own words."""


class Down(Exception):
    """There was no answer."""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "ostler_window"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._windows = {}  # host to the window's id, None where there is none
        self._playbook = ""
        self._wanted = False
        self._ticket = ""
        self._off = False  # said why already

    # What Ansible calls.

    def v2_playbook_on_start(self, playbook):
        self._playbook = os.path.basename(playbook._file_name)

    def v2_playbook_on_play_start(self, play):
        try:
            variables = play.get_variable_manager().get_vars(play=play)
        except Exception:  # a play whose variables cannot be read says so itself
            variables = {}
        self._ticket = str(variables.get("ostler_ticket") or self.get_option("ticket") or "").strip()
        wanted = variables.get("ostler_window", True)
        self._wanted = str(wanted).lower() not in ("false", "no", "0") and not context.CLIARGS.get("check")

    def v2_runner_on_start(self, host, task):
        name = host.get_name()
        if not self._wanted or self._off or name in self._windows or name in LOCAL:
            return
        if not self._ticket:
            self._stop("no ticket was named", "Say why servers are changed: -e ostler_ticket=OPS-1234, or OSTLER_TICKET.")
            return
        self._windows[name] = None
        server = host.get_vars().get("ostler_server") or name
        try:
            opened = self._post("/windows", {
                "server": str(server), "ticket": self._ticket, "who": self._who(), "what": self._playbook, "minutes": self.get_option("minutes"),
            })
            self._windows[name] = opened["id"]
        except Refused as e:
            self._say("No change window was opened on %s: %s" % (name, e))
        except Exception as e:
            self._stop(*self._cause(e))

    def v2_playbook_on_stats(self, stats):
        opened = [(h, w) for h, w in self._windows.items() if w]
        closed = 0
        for host, window in opened:
            try:
                self._post("/windows/%s/close" % window)
                closed += 1
            except Refused as e:
                self._say("The change window %s on %s was not closed: %s It ends by itself." % (window, host, e))
            except Exception as e:
                self._say("%s of %s change windows could not be closed: %s They end by themselves. Next: %s"
                          % (len(opened) - closed, len(opened), *self._cause(e)))
                break
        if opened:
            self._display.display("Change windows for %s: %d opened, %d closed." % (self._ticket, len(opened), closed))
        self._windows = {}

    # How the control plane is asked.

    def _who(self):
        return self.get_option("who") or "%s on %s" % (getpass.getuser(), socket.gethostname())

    def _token(self):
        token = (self.get_option("token") or "").strip()
        if token:
            return token
        path = self.get_option("token_file")
        if not path:
            base = os.environ.get("OSTLER_CONFIG_DIR")
            if not base:
                base = os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "ostler")
            path = os.path.join(base, "token")
        try:
            if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
                raise Down("others can read the token in %s" % path, "Make a new token, and keep it with: ostler token save.")
            with open(path) as f:
                return f.read().strip()
        except OSError as e:
            raise Down("there is no API token (%s: %s)" % (path, e.strerror), "Keep one with: ostler token save.")

    def _post(self, path, body=None):
        base = self.get_option("url").rstrip("/")
        parts = urlsplit(base)
        host = parts.hostname or ""
        if parts.scheme != "https" and not (parts.scheme == "http" and (host in LOCAL or host.endswith(".localhost"))):
            raise Down("%s is not encrypted: the token would be readable on the way" % base, "Use an https address (OSTLER_URL).")
        headers = {"Authorization": "Bearer " + self._token(), "Content-Type": "application/json",
                   "Accept": "application/json, application/problem+json", "Idempotency-Key": str(uuid.uuid4())}
        try:
            answer = open_url(base + "/api/v1" + path, method="POST", headers=headers, data=json.dumps(body) if body is not None else None,
                              timeout=self.get_option("timeout"), ca_path=self.get_option("ca_file"), follow_redirects="none", http_agent="ostler-ansible",
                              use_netrc=False, use_proxy=parts.scheme == "https")
            return json.loads(answer.read() or "{}")
        except HTTPError as e:
            raise self._refused(e)

    @staticmethod
    def _refused(e):
        try:
            p = json.loads(e.read())
            why = p.get("detail") or p["title"]
            fields = ["%s: %s" % (f.get("pointer", ""), f.get("message", "")) for f in p.get("errors") or []]
        except Exception:
            return Down("the control plane's address answered %s, and not as a control plane does" % e.code, "Check it with: ostler doctor.")
        words = "%s. %s" % (". ".join([why.rstrip(".")] + fields), p.get("next", ""))
        if e.code in (401, 403) or e.code >= 500:
            return Down(words.strip(), "")
        return Refused(words.strip())

    @staticmethod
    def _cause(e):
        if isinstance(e, Down):
            return e.args[0], e.args[1]
        reason = getattr(e, "reason", None) or e
        return "the control plane does not answer (%s)" % reason, "Check it with: ostler doctor."

    # What people read.

    def _stop(self, cause, following):
        """Says once why there are no change windows in this run."""
        self._off = True
        self._say("No change windows are opened: %s. %s" % (cause.rstrip("."), "The play goes on. Next: " + following if following else "The play goes on."))

    def _say(self, text):
        self._display.warning("ostler: " + " ".join(text.split()))
