/** The API's shapes under short names. Everything is generated from `openapi.json`; nothing is retyped by hand. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Alarm = Schemas["AlarmOut"];
export type AlarmDetail = Schemas["AlarmDetail"];
export type Books = Schemas["BooksOut"];
export type BookRow = Schemas["BookRow"];
export type Case = Schemas["CaseOut"];
export type CaseDetail = Schemas["CaseDetail"];
export type CaseAction = Schemas["CaseAction"];
export type Action = Schemas["ActionOut"];
export type Change = Schemas["Change"];
export type Condition = Schemas["Condition"];
export type Clocks = Schemas["ClocksOut"];
export type Device = Schemas["DeviceOut"];
export type DeviceDetail = Schemas["DeviceDetail"];
export type DeviceState = Schemas["DeviceState"];
export type Edge = Schemas["EdgeOut"];
export type Entry = Schemas["EntryOut"];
export type Evidence = Schemas["EvidenceOut"];
export type Nearby = Schemas["NearbyOut"];
export type Field = Schemas["FieldOut"];
export type Finding = Schemas["FindingOut"];
export type Grid = Schemas["GridOut"];
export type GridKind = Schemas["GridKind"];
export type Kind = Schemas["Kind"];
export type Limit = Schemas["LimitOut"];
export type Overview = Schemas["OverviewOut"];
export type Person = Schemas["PersonOut"];
export type Point = Schemas["PointOut"];
export type Problem = Schemas["Problem"];
export type Proof = Schemas["ProofOut"];
export type Quarantined = Schemas["QuarantineOut"];
export type QuarantineAct = Schemas["QuarantineAct"];
export type QuarantineEntry = Schemas["QuarantineEntry"];
export type QuarantinePage = Schemas["QuarantinePage"];
export type QuarantineSelection = Schemas["QuarantineSelection"];
export type Role = Schemas["Role"];
export type Rule = Schemas["RuleOut"];
export type Sample = Schemas["SampleOut"];
export type Series = Schemas["SeriesOut"];
export type Severity = Schemas["Severity"];
export type Site = Schemas["SiteOut"];
export type System = Schemas["SystemOut"];
export type Tile = Schemas["Tile"];
export type Unit = Schemas["UnitOut"];
export type Value = Schemas["Value"];
export type Wanted = Schemas["WantedOut"];

/** A name by language, `{zh, en}`. */
export type Text = Record<string, string>;
/** A value on a point: a switch, a number, or a word. Null when the device said NaN. */
export type Scalar = Value["value"];

/** One value of the live feed's `readings` event. */
export type LiveReading = Schemas["LiveReading"];
