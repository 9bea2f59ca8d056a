//! Partitions and Regions: which separate AWS a name belongs to (D§7).
//!
//! The partition comes from an ARN or from the Region, never from a DNS suffix: `GovCloud` shares `amazonaws.com`.

use std::fmt;
use std::str::FromStr;

use crate::arn::ArnError;
use crate::text::serde_as_text;

/// A separate AWS with its own IAM, accounts and credentials. Nothing crosses its border.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::EnumString, strum::EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum Partition {
    /// The commercial Regions, `aws`.
    Aws,
    /// China, `aws-cn`.
    AwsCn,
    /// `GovCloud`, `aws-us-gov`.
    AwsUsGov,
    /// `aws-iso`.
    AwsIso,
    /// `aws-iso-b`.
    AwsIsoB,
    /// `aws-iso-e`.
    AwsIsoE,
    /// `aws-iso-f`.
    AwsIsoF,
    /// The European Sovereign Cloud, `aws-eusc`.
    AwsEusc,
}

impl Partition {
    /// The Region in which IAM lives and signs. In China that is not the partition's implicit global Region (D§7).
    pub fn iam_region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-north-1",
            Self::AwsUsGov => "us-gov-west-1",
            Self::AwsIso => "us-iso-east-1",
            Self::AwsIsoB => "us-isob-east-1",
            Self::AwsIsoE => "eu-isoe-west-1",
            Self::AwsIsoF => "us-isof-south-1",
            Self::AwsEusc => "eusc-de-east-1",
        }
    }

    /// Reads the partition part of an ARN.
    pub(crate) fn of_arn_part(part: &str) -> Result<Self, ArnError> {
        part.parse().map_err(|_| ArnError::UnknownPartition { partition: part.to_owned() })
    }
}

/// A Region whose form belongs to one of the partitions. That it exists or is enabled is not known here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    name: String,
    partition: Partition,
}

impl Region {
    /// The partition that this Region belongs to.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The Region's name, such as `cn-north-1`.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

/// The anchored Region patterns of D§7, read from the right: `GROUP-word-digits`, where the group decides.
fn partition_of(region: &str) -> Option<Partition> {
    let (rest, number) = region.rsplit_once('-')?;
    let (group, place) = rest.rsplit_once('-')?;
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_word(place) || number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match group {
        "us" | "eu" | "ap" | "sa" | "ca" | "me" | "af" | "il" | "mx" => Some(Partition::Aws),
        "cn" => Some(Partition::AwsCn),
        "us-gov" => Some(Partition::AwsUsGov),
        "us-iso" => Some(Partition::AwsIso),
        "us-isob" => Some(Partition::AwsIsoB),
        "eu-isoe" => Some(Partition::AwsIsoE),
        "us-isof" => Some(Partition::AwsIsoF),
        "eusc-de" => Some(Partition::AwsEusc),
        _ => None,
    }
}

impl FromStr for Region {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let partition = partition_of(text).ok_or_else(|| ArnError::UnknownRegion { region: text.to_owned() })?;
        Ok(Self { name: text.to_owned(), partition })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

serde_as_text!(Partition, Region);

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn regions_belong_to_the_partition_of_their_pattern() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("ap-southeast-7", "aws"),
            ("mx-central-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-west-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let parsed: Region = region.parse().unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.partition().to_string().as_str()), (region, partition));
        }
    }

    #[test]
    fn what_matches_no_partition_is_refused() {
        for region in
            ["", "us-east", "us-east-", "us-east-1a", "xx-east-1", "us--1", "us-gov-west-1 ", "eusc-fr-east-1"]
        {
            assert!(region.parse::<Region>().is_err(), "{region}");
        }
    }

    #[test]
    fn iam_signs_in_a_region_of_its_own_partition() {
        for partition in Partition::iter() {
            assert_eq!(partition.iam_region().parse::<Region>().unwrap().partition(), partition);
            assert_eq!(partition.to_string().parse::<Partition>().unwrap(), partition);
        }
    }
}
