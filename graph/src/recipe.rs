//! Which columns are read, and how their values are compared.

use std::collections::BTreeMap;

use schemas::{ColumnSpec, Form, GraphSnapshot, Unit};
use serde::{Deserialize, Serialize};
use signals::{Scale, Side, Signal};

/// Version of the column names, their scales and the encoder. Raise it with every change of these:
/// a model release states the version that it was trained with.
pub const RECIPE_VERSION: i32 = 4;

/// Which features a model reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Every column of the snapshot, compared with the baseline of the node's role.
    #[default]
    Default,
    /// The eleven features of the original design.
    Classic,
}

impl Profile {
    /// The name that a release carries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Classic => "classic",
        }
    }

    /// The profile of that name.
    pub fn from_name(name: &str) -> Option<Profile> {
        [Profile::Default, Profile::Classic].into_iter().find(|profile| profile.as_str() == name)
    }
}

/// The columns that an encoder reads, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Which features a model reads.
    pub profile: Profile,
    /// The columns. Empty under `classic`, which has features of its own.
    pub columns: Vec<ColumnSpec>,
}

impl Recipe {
    /// A recipe with every column that these snapshots declare, ordered by name.
    pub fn for_snapshots<'a>(profile: Profile, snapshots: impl IntoIterator<Item = &'a GraphSnapshot>) -> Recipe {
        if profile == Profile::Classic {
            return Recipe { profile, columns: Vec::new() };
        }
        let mut columns = BTreeMap::new();
        for column in snapshots.into_iter().flat_map(|snapshot| &snapshot.columns) {
            columns.entry(column.name.as_str()).or_insert_with(|| ColumnSpec {
                name: column.name.clone(),
                unit: column.unit.clone(),
                form: column.form.clone(),
            });
        }
        Recipe { profile, columns: columns.into_values().collect() }
    }

    /// Width F of the encoder's output.
    pub fn width(&self) -> usize {
        match self.profile {
            Profile::Classic => crate::classic::FEATURES.len(),
            // A value and a missing flag per column, then in- and out-degree.
            Profile::Default => 2 * self.columns.len() + 2,
        }
    }
}

/// How the values of one column are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnScale {
    scale: Scale,
    /// The side of the baseline on which a deviation is abnormal.
    pub side: Side,
    /// Whether a high value says nothing about a role without a baseline: a new process of 500 MB
    /// is not abnormal, one that grows is.
    pub is_level: bool,
}

impl ColumnScale {
    /// The scales of the columns of a recipe.
    pub fn for_recipe(recipe: &Recipe) -> Vec<ColumnScale> {
        recipe.columns.iter().map(ColumnScale::for_column).collect()
    }

    /// The scale of a column: of its signal, or of its unit if it is in no catalogue.
    pub fn for_column(column: &ColumnSpec) -> ColumnScale {
        let signal = Signal::from_name(&column.name).map(Signal::definition);
        let (scale, side) = match signal.filter(|definition| definition.unit == column.unit) {
            Some(definition) => (definition.scale, definition.side),
            None => (Scale::for_unit(&column.unit).unwrap_or(Scale::UNKNOWN), Side::for_unit(&column.unit)),
        };
        let is_level = column.form != Form::Rate && matches!(column.unit, Unit::Bytes | Unit::Count);
        ColumnScale { scale, side, is_level }
    }

    /// The value as it is compared.
    pub fn transform(&self, raw: f32) -> f32 {
        self.scale.curve.apply(raw)
    }

    /// The raw value of a transformed value.
    pub fn invert(&self, transformed: f32) -> f32 {
        self.scale.curve.invert(transformed)
    }

    /// The least spread of a baseline, in transformed units. To an operator a smaller change is
    /// none.
    pub fn floor(&self) -> f32 {
        self.scale.floor
    }

    /// The least spread of a baseline around this centre, in transformed units.
    pub fn floor_at(&self, centre: f32) -> f32 {
        self.scale.floor.max(self.scale.relative_floor * centre.abs())
    }

    /// The abnormal part of a deviation, in spreads and at least 0.
    pub fn abnormal_part(&self, deviation: f32) -> f32 {
        self.side.abnormal_part(deviation)
    }
}
