import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createLedger } from "../src/ledger.ts";

describe("the turn ledger", () => {
  it("gives every turn one outcome, the first", () => {
    const told: string[] = [];
    const ledger = createLedger((event) =>
      void (event.type === "turn-ended" && told.push(`${event.turnId} ${event.outcome}`))
    );
    ledger.end("turn-0", "answered"); // never opened
    for (const turnId of ["turn-1", "turn-2", "turn-3"]) ledger.open(turnId);
    ledger.end("turn-2", "interrupted");
    ledger.end("turn-2", "answered");
    assertEquals([told.splice(0), ledger.owed], [["turn-2 interrupted"], 2]);
    ledger.endAll("failed");
    ledger.end("turn-1", "answered");
    assertEquals([told, ledger.owed], [["turn-1 failed", "turn-3 failed"], 0]);
  });
});
