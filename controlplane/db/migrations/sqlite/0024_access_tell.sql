-- +goose Up
-- A notice is what one customer is told of changes of their list: one mail with
-- every item. gather_until is when it goes out, due_at when it has to have been
-- accepted; try_at is when the next contact is tried.
CREATE TABLE access_notices (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  state           TEXT NOT NULL,
  urgent          INTEGER NOT NULL,
  opened_at       INTEGER NOT NULL,
  gather_until    INTEGER NOT NULL,
  due_at          INTEGER NOT NULL,
  try_at          INTEGER NOT NULL,
  sent_at         INTEGER NOT NULL,
  accepted_at     INTEGER NOT NULL,
  read_at         INTEGER NOT NULL,
  acknowledged_at INTEGER NOT NULL,
  acknowledged_by TEXT NOT NULL,
  called_at       INTEGER NOT NULL,
  call_note       BLOB,
  late_at         INTEGER NOT NULL,
  why             TEXT NOT NULL
);
CREATE INDEX access_notices_customer ON access_notices (customer_id, opened_at, id);
CREATE INDEX access_notices_state ON access_notices (state, gather_until);
CREATE INDEX access_notices_late ON access_notices (accepted_at, late_at, due_at);

-- One change that settle wrote, in the one notice that tells of it.
CREATE TABLE access_notice_items (
  change_id   TEXT PRIMARY KEY,
  notice_id   TEXT NOT NULL,
  customer_id TEXT NOT NULL
);
CREATE INDEX access_notice_items_notice ON access_notice_items (notice_id, change_id);

-- The mails of a notice, in the order in which contacts were tried.
CREATE TABLE access_notice_mails (
  mail_id     TEXT PRIMARY KEY,
  notice_id   TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  contact_id  TEXT NOT NULL,
  name        BLOB,
  seq         INTEGER NOT NULL,
  state       TEXT NOT NULL,
  cause       TEXT NOT NULL,
  at          INTEGER NOT NULL
);
CREATE INDEX access_notice_mails_notice ON access_notice_mails (notice_id, seq);
CREATE INDEX access_notice_mails_customer ON access_notice_mails (customer_id, at);

-- When somebody looked at a customer's list, and the time before that.
CREATE TABLE access_visits_seen (
  customer_id TEXT NOT NULL,
  reader      TEXT NOT NULL,
  at          INTEGER NOT NULL,
  before_at   INTEGER NOT NULL,
  PRIMARY KEY (customer_id, reader)
);

CREATE TABLE access_facilities (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL,
  country      TEXT NOT NULL,
  location     TEXT NOT NULL,
  certificates TEXT NOT NULL,
  controls     TEXT NOT NULL,
  version      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
);

-- Somebody on lists by another ground than a grant. customer_id is "" where it
-- reaches more than one customer; contacts see the lines that come of it.
CREATE TABLE access_entries (
  id          TEXT PRIMARY KEY,
  way         TEXT NOT NULL,
  person_id   TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  server_id   TEXT NOT NULL,
  facility_id TEXT NOT NULL,
  rack        TEXT NOT NULL,
  role        TEXT NOT NULL,
  reason      BLOB NOT NULL,
  ticket      TEXT NOT NULL,
  escort_id   TEXT NOT NULL,
  from_at     INTEGER NOT NULL,
  until_at    INTEGER NOT NULL,
  review_by   INTEGER NOT NULL,
  begun_at    INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL,
  ended_by    TEXT NOT NULL,
  ended_why   BLOB,
  created_by  TEXT NOT NULL,
  version     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL
);
CREATE INDEX access_entries_customer ON access_entries (customer_id, ended_at, id);
CREATE INDEX access_entries_person ON access_entries (person_id, ended_at);
CREATE INDEX access_entries_facility ON access_entries (facility_id, ended_at);
CREATE INDEX access_entries_open ON access_entries (ended_at, id);

CREATE TABLE access_campaigns (
  id          TEXT PRIMARY KEY,
  title       TEXT NOT NULL,
  started_at  INTEGER NOT NULL,
  started_by  TEXT NOT NULL,
  due_at      INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL,
  schedule_at INTEGER NOT NULL
);
CREATE INDEX access_campaigns_started ON access_campaigns (started_at, id);
CREATE INDEX access_campaigns_open ON access_campaigns (ended_at, due_at);

CREATE TABLE access_campaign_items (
  id           TEXT PRIMARY KEY,
  campaign_id  TEXT NOT NULL,
  customer_id  TEXT NOT NULL,
  ground_id    TEXT NOT NULL,
  person_id    TEXT NOT NULL,
  team_id      TEXT NOT NULL,
  role         TEXT NOT NULL,
  way          TEXT NOT NULL,
  last_used_at INTEGER NOT NULL,
  last_on_call INTEGER NOT NULL,
  answer       TEXT NOT NULL,
  answered_by  TEXT NOT NULL,
  because      BLOB,
  answered_at  INTEGER NOT NULL,
  revoke_at    INTEGER NOT NULL,
  done_at      INTEGER NOT NULL
);
CREATE INDEX access_campaign_items_campaign ON access_campaign_items (campaign_id, answered_at, id);
CREATE INDEX access_campaign_items_customer ON access_campaign_items (customer_id, campaign_id, id);
CREATE INDEX access_campaign_items_due ON access_campaign_items (answered_at, revoke_at);
CREATE INDEX access_campaign_items_undone ON access_campaign_items (done_at, answer);
CREATE INDEX access_campaign_items_ground ON access_campaign_items (ground_id);

-- Who may instruct us for a customer, and from when to when.
CREATE TABLE access_authorisations (
  id          TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL,
  contact_id  TEXT NOT NULL,
  name        BLOB NOT NULL,
  capacity    TEXT NOT NULL,
  acts        TEXT NOT NULL,
  from_at     INTEGER NOT NULL,
  until_at    INTEGER NOT NULL,
  document    BLOB,
  ended_at    INTEGER NOT NULL,
  ended_by    TEXT NOT NULL,
  created_by  TEXT NOT NULL,
  created_at  INTEGER NOT NULL
);
CREATE INDEX access_authorisations_customer ON access_authorisations (customer_id, from_at, id);

-- Instructions that would break the law: the work on their subject pauses.
CREATE TABLE access_instructions (
  id               TEXT PRIMARY KEY,
  customer_id      TEXT NOT NULL,
  authorisation_id TEXT NOT NULL,
  what             BLOB NOT NULL,
  ticket           TEXT NOT NULL,
  subject          TEXT NOT NULL,
  flagged_by       TEXT NOT NULL,
  flagged_at       INTEGER NOT NULL,
  why              BLOB NOT NULL,
  mail_id          TEXT NOT NULL,
  decided_at       INTEGER NOT NULL,
  decided_by       TEXT NOT NULL,
  decision         TEXT NOT NULL,
  reasons          BLOB
);
CREATE INDEX access_instructions_customer ON access_instructions (customer_id, flagged_at, id);
CREATE INDEX access_instructions_subject ON access_instructions (subject, decided_at);

-- Staff who took note of what is recorded of them, and of which text.
CREATE TABLE access_staff_notices (
  staff_id    TEXT NOT NULL,
  text_sha256 TEXT NOT NULL,
  months      INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (staff_id, text_sha256)
);

-- +goose Down
DROP TABLE access_staff_notices;
DROP TABLE access_instructions;
DROP TABLE access_authorisations;
DROP TABLE access_campaign_items;
DROP TABLE access_campaigns;
DROP TABLE access_entries;
DROP TABLE access_facilities;
DROP TABLE access_visits_seen;
DROP TABLE access_notice_mails;
DROP TABLE access_notice_items;
DROP TABLE access_notices;
