//! The manual of settings.

use expect_test::expect;

use crate::Example;

#[test]
fn the_manual_lists_every_key() {
    expect![[r##"
        # Example

        Settings of an example.

        The environment variable `DETECTIVE__A__B` overrides the key `b` of the section `[a]`.

        | key | type | default | meaning |
        |---|---|---|---|
        | `host` | text | none | Name of the host; by default the system's. |
        | `labels` | table | `{"tier":"test"}` | Labels \| groups. |

        ## `[page]`

        Where to listen.

        | key | type | default | meaning |
        |---|---|---|---|
        | `port` | whole number | none | The port. |

        ## `[sweep]`

        When to sweep.

        | key | type | default | meaning |
        |---|---|---|---|
        | `deadline` | duration | `"800ms"` | Must be less than `sweep.interval`. |
        | `depth` | `shallow`, `deep` | `"shallow"` | What to sweep. |
        | `enabled` | `true`, `false` | `true` | Whether to sweep. |
        | `ignore` | list of text | `[]` | Names to ignore. |
        | `interval` | duration | `"1s"` | Time between sweeps. |
        | `ports` | list of whole number | `[80]` | Ports to watch. |
        | `share` | number | `0.5` | Share of samples to keep. |
        | `workers` | whole number | `2` | Number of threads. |
    "##]]
    .assert_eq(&service::reference::<Example>("Example"));
}
