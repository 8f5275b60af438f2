//! The answer as tables for people.

use serde_json::Value;

/// Prints it.
pub fn print(answer: &Value) {
    println!("{}, seed {}\n", words(&answer["machine"]), answer["seed"]);
    println!(
        "| fault | culprit | named first | rank | incident after | it names | names the culprit after | before it in the ranking | load |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows(&answer["faults"]) {
        let right = if row["first_incident_is_right"] == true { " (right)" } else { "" };
        println!(
            "| {} | {} | {} | {} | {} | {}{right} | {} | {} | {} |",
            words(&row["fault"]),
            words(&row["culprit"]),
            if row["named_first"] == true { "yes" } else { "no" },
            ranked(row),
            seconds(&row["opened_s"]),
            words(&row["first_incident_names"]),
            seconds(&row["named_s"]),
            rows(&row["ranked_above"]).iter().map(words).collect::<Vec<_>>().join(", "),
            row["load"],
        );
    }
    for row in rows(&answer["not_run"]) {
        println!("| {} | not run: {} | | | | | | | |", words(&row["fault"]), words(&row["reason"]));
    }
    print_totals(&answer["totals"], &answer["healthy"]);
}

fn print_totals(totals: &Value, healthy: &Value) {
    let [faults, first, third, mrr] = ["faults", "hit@1", "hit@3", "mrr"].map(|key| &totals[key]);
    println!("\n{faults} faults: hit@1 {first}, hit@3 {third}, MRR {mrr}");
    let keys = ["incidents_opened", "first_incident_names_culprit", "an_incident_names_culprit"];
    let [opened, right, any] = keys.map(|key| &totals[key]);
    println!("incidents: {opened} of {faults} opened one, {right} named the culprit at once, {any} at any time");
    let [opened, named] = ["median_opened_s", "median_named_s"].map(|key| seconds(&totals[key]));
    println!("median time to an incident {opened}, to one that names the culprit {named}");
    let named: Vec<String> = rows(&healthy["named"]).iter().map(words).collect();
    println!(
        "false alarms in {} s of health: {} {named:?}, load {}",
        healthy["seconds"], healthy["opened"], healthy["load"]
    );
}

fn ranked(row: &Value) -> String {
    let rank = row["rank"].as_u64().map_or("-".to_owned(), |rank| rank.to_string());
    row["second_best_rank"].as_u64().map_or(rank.clone(), |second| format!("{rank} (second best: {second})"))
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn words(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

fn seconds(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), |seconds| format!("{seconds} s"))
}
