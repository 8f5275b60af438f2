//! The manual.

use expect_test::expect;

use crate::Example;

#[test]
fn the_manual_names_every_key() {
    expect![[r#""#]].assert_eq(&service::reference::<Example>("Example"));
}
