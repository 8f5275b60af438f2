//! The manual.

use expect_test::expect;

use crate::Example;

#[test]
fn the_manual_names_every_key() {
    expect![[r##"
        # Example

        Settings of a program that looks at something.

        The key `b` of the section `[a]` is `DETECTIVE__A__B` in the environment, which overrides the file.

        | key | type | default | meaning |
        |---|---|---|---|
        | `host` | text | none | The host's name; the system's own where there is none. |
        | `labels` | table | `{"tier":"test"}` | What to call it \| how to group it. |

        ## `[page]`

        Where to listen, if at all.

        | key | type | default | meaning |
        |---|---|---|---|
        | `port` | whole number | none | The port. |

        ## `[sweep]`

        How often to look.

        | key | type | default | meaning |
        |---|---|---|---|
        | `deadline` | duration | `"800ms"` | Must be less than `sweep.interval`. |
        | `depth` | `shallow`, `deep` | `"shallow"` | What to look at. |
        | `enabled` | `true`, `false` | `true` | Whether to look at all. |
        | `ignore` | list of text | `[]` | What to pass over. |
        | `interval` | duration | `"1s"` | Time between sweeps. |
        | `ports` | list of whole number | `[80]` | Ports of interest. |
        | `share` | number | `0.5` | The share to keep. |
        | `workers` | whole number | `2` | How many at once. |
    "##]]
    .assert_eq(&service::reference::<Example>("Example"));
}
